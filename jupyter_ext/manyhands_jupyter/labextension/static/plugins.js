/* The plugins of manyhands: what JupyterLab activates, with what each of them needs. */
import { makeBridge } from './bridge.js';
import { makeLook } from './look.js';
import { keepTab } from './tab.js';
import { makeTrace } from './trace.js';

const ID = '@manyhands/lab';

/** @param shared gives a package of JupyterLab's share scope, or null. */
export async function makePlugins(shared) {
  const [React, chat, notebooks, services, coreutils, rendermime] = await Promise.all(
    ['react', '@jupyter/chat', '@jupyterlab/notebook', '@jupyterlab/services', '@jupyterlab/coreutils',
     '@jupyterlab/rendermime'].map(shared)
  );
  const optional = token => (token ? [token] : []);
  const tracker = notebooks && notebooks.INotebookTracker;
  const typesetter = rendermime && rendermime.ILatexTypesetter;

  const bridge = {
    id: `${ID}:bridge`,
    autoStart: true,
    optional: [...optional(tracker), ...optional(typesetter)],
    activate: (app, ...given) => {
      const found = tracker ? given.shift() : null;
      const latex = typesetter ? given.shift() : null;
      window.manyhandsLab = makeBridge(found, notebooks && notebooks.NotebookActions, latex);
      const { tab, runProposed } = window.manyhandsLab;
      keepTab({ services, coreutils, tab, answers: { ...makeLook(found), run: runProposed } });
    }
  };

  const settings = services.ServerConnection.makeSettings();
  const address = path => coreutils.URLExt.join(settings.baseUrl, 'manyhands', path);

  /** Post to one of our handlers; the server's own words when it refuses. */
  async function request(path, body) {
    const answer = await services.ServerConnection.makeRequest(
      address(path),
      { method: 'POST', body: JSON.stringify(body) },
      settings
    );
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.message || answer.statusText);
    return told;
  }

  const trace = {
    id: `${ID}:trace`,
    autoStart: true,
    optional: chat ? [chat.IMessagePreambleRegistry, chat.IMessageFooterRegistry] : [],
    activate: (app, preambles = null, footers = null) => {
      const bridge = () => window.manyhandsLab;
      const { Trace, Below } = makeTrace({ React, request, address, bridge });
      if (preambles) preambles.addComponent(Trace);
      if (footers) footers.addSection({ position: 'left', component: Below });
    }
  };

  return [bridge, trace];
}
