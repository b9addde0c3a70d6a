import { render } from 'preact'

render(<main><h1>Control room</h1></main>, document.getElementById('page')!)
