/* The plugins of manyhands: what JupyterLab activates, with what each of them needs. */
import { makeBridge } from './bridge.js';

const ID = '@manyhands/lab';

/** @param shared gives a package of JupyterLab's share scope, or null. */
export async function makePlugins(shared) {
  const notebooks = await shared('@jupyterlab/notebook');
  const optional = token => (token ? [token] : []);

  const bridge = {
    id: `${ID}:bridge`,
    autoStart: true,
    optional: optional(notebooks && notebooks.INotebookTracker),
    activate: (app, tracker = null) => {
      window.manyhandsLab = makeBridge(tracker, notebooks && notebooks.NotebookActions);
    }
  };

  return [bridge];
}
