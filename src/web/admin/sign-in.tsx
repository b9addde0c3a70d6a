/** Asks for the operator's token. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { inWords, tryToken } from './operator.js'
import { canBeToken } from './token.js'

interface Props {
  /** Why it is asked for again. */
  readonly notice: string | null
  readonly onToken: (token: string) => void
}

const wrong = 'The API does not take this token. Look at it again: it is the ADMIN_TOKEN that the API was started with.'

export function SignIn({ notice, onToken }: Props) {
  const [said, setSaid] = useState(notice)
  const [asking, setAsking] = useState(false)
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => input.current?.focus(), [])

  async function submit(event: Event): Promise<void> {
    event.preventDefault()
    const token = input.current!.value.trim()
    setSaid(null)
    setAsking(true)
    const outcome = canBeToken(token) ? await tryToken(token) : 'wrong'
    setAsking(false)
    if (outcome === 'taken') return onToken(token)
    setSaid(outcome === 'wrong' ? wrong : inWords(outcome))
    input.current?.select()
  }

  return (
    <main class="sign-in card">
      <h1>Control room</h1>
      <form onSubmit={(event) => void submit(event)} aria-busy={asking}>
        <label for="token">Admin token</label>
        {/* No name: it must never get into an address. */}
        <input ref={input} id="token" type="password" autoComplete="off" spellcheck={false} required aria-describedby="token-kept" aria-invalid={said !== null} />
        <p id="token-kept" class="muted small">Kept in this tab until it is closed.</p>
        <div role="alert">{said !== null && <p class="fault">{said}</p>}</div>
        <button class="primary" disabled={asking}>Open the control room</button>
      </form>
    </main>
  )
}
