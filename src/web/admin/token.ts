/** The operator's token: in this tab, for as long as it is open, and nowhere else. */
const place = 'flash-sale.admin-token'

export const keptToken = (): string | null => sessionStorage.getItem(place)
export const keepToken = (token: string): void => sessionStorage.setItem(place, token)
export const forgetToken = (): void => sessionStorage.removeItem(place)

/** Whether a header can carry it: what cannot be sent is no token. */
export const canBeToken = (token: string): boolean => /^[\u0021-\u007e]+$/.test(token)
