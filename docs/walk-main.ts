/** Prints the tour of `walk.ts`. */
import { walk } from './walk.ts';

await walk((text) => {
  console.log(text);
});
