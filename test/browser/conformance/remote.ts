/** What the page offers to the test that drives it. */

/** A test of the suite as it was declared in the page. */
export interface RemoteTest {
  readonly title: string;
  readonly body: () => Promise<void>;
}

/** The page's global `remote`. */
export interface Remote {
  /** Runs the test that was declared as the `index`-th; `title` guards against a page that declares others. */
  readonly run: (index: number, title: string) => Promise<void>;
}
