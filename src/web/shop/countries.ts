/** The countries of ISO 3166-1, by what they are called in the page's language. */
const codes = 'ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZ'
  + 'DEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJP'
  + 'KEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOM'
  + 'PAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZ'
  + 'UAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW'

const names = new Intl.DisplayNames('en', { type: 'region' })

export const countries: readonly { readonly code: string; readonly name: string }[] = (codes.match(/../g) ?? [])
  .map((code) => ({ code, name: names.of(code) ?? code }))
  .toSorted((one, other) => one.name.localeCompare(other.name))

/** @returns where the browser's user seems to be at home, as a first guess */
export function likelyCountry(): string {
  try {
    const { region } = new Intl.Locale(navigator.language)
    return countries.find(({ code }) => code === region)?.code ?? ''
  } catch {
    // Not every browser's language is one by the book.
    return ''
  }
}
