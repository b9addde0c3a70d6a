import { render } from 'preact'

render(<main><h1>12.12 flash sale</h1></main>, document.getElementById('page')!)
