/** The shop window: a storefront on the public API alone. */
import { render } from 'preact'
import { Page } from './shop/page.js'
import { openShop } from './shop/shop.js'

render(<Page shop={openShop()} />, document.getElementById('page')!)
