import { render } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import { createOperator } from './admin/operator.js'
import { Room } from './admin/room.js'
import { SignIn } from './admin/sign-in.js'
import { forgetToken, keepToken, keptToken } from './admin/token.js'

const notTaken = 'The API does not take this token any more: give it the one that it was started with.'

function Page() {
  const [token, setToken] = useState(keptToken)
  const [notice, setNotice] = useState<string | null>(null)
  function leave(why: string | null): void {
    forgetToken()
    setNotice(why)
    setToken(null)
  }
  const operator = useMemo(() => (token === null ? null : createOperator(token, () => {
    // A late answer to a token that was left concerns nobody any more.
    if (keptToken() === token) leave(notTaken)
  })), [token])
  if (operator !== null) return <Room operator={operator} onLeave={() => leave(null)} />
  return (
    <SignIn notice={notice} onToken={(given) => {
      keepToken(given)
      setNotice(null)
      setToken(given)
    }} />
  )
}

render(<Page />, document.getElementById('page')!)
