/** The picture of an item that has none: a colour and a shape by its place, so that no two neighbours are alike. */

const colours = 8
const shapes = [
  <><circle cx="88" cy="34" r="44" class="light" /><circle cx="30" cy="88" r="30" class="deep" /></>,
  <><path d="M0 90A90 90 0 0 1 90 0v90z" class="light" /><circle cx="92" cy="24" r="14" class="deep" /></>,
  <><path d="M-10 74 60 4l70 70-70 70z" class="light" /><path d="M25 74 60 39l35 35-35 35z" class="deep" /></>,
  <><path d="M0 60h120v16H0zM0 84h120v16H0z" class="light" /><circle cx="60" cy="44" r="30" class="deep" /></>,
  <><path d="M60-10h70v110H60z" class="light" /><path d="M60 15a30 30 0 0 1 0 60z" class="deep" /><path d="M60 15a30 30 0 0 0 0 60z" class="pale" /></>,
  <><circle cx="60" cy="45" r="54" class="light" /><circle cx="60" cy="45" r="36" class="deep" /><circle cx="60" cy="45" r="18" class="pale" /></>,
]

export function Tile({ place }: { readonly place: number }) {
  return (
    <svg class={`tile tile-${place % colours}`} viewBox="0 0 120 90" preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false">
      {shapes[place % shapes.length]}
    </svg>
  )
}
