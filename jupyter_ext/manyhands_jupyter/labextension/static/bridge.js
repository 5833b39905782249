/* Acting on the open notebook through its shared model: every edit is one step of its undo history,
   and the file under the editor is never touched. */

const OUTPUT_CHARACTERS = 20_000;
/** A proposed cell that prints more is interrupted: a notebook of so much text hangs its page. */
const PRINTED_CHARACTERS = 1_000_000;

/** `window.manyhandsLab`, version 1. All calls are asynchronous; they reject with a plain message.
 *
 * @param tracker JupyterLab's notebook tracker; null where there is none.
 * @param actions its NotebookActions.
 * @param latex sets formulas; null where JupyterLab has nothing for it.
 */
export function makeBridge(tracker, actions, latex) {
  const panels = () => {
    const found = [];
    if (tracker) tracker.forEach(panel => found.push(panel));
    return found;
  };

  function currentPanel() {
    const panel = tracker && tracker.currentWidget;
    if (!panel || !panel.content.model) {
      throw new Error('No notebook is open. Open one, click into it, and try again.');
    }
    return panel;
  }

  /** The notebook and the place of a cell; without an id, of the active cell. A copied notebook has
   * cells of the same ids: a path says which one is meant. */
  function find(cellId, path) {
    if (!cellId) {
      const panel = currentPanel();
      return { panel, index: Math.max(0, panel.content.activeCellIndex) };
    }
    const current = tracker && tracker.currentWidget;
    const rest = panels().filter(panel => panel !== current);
    for (const panel of current ? [current, ...rest] : rest) {
      if (path && panel.context.path !== path) continue;
      const cells = panel.content.model ? panel.content.widgets : [];
      const index = cells.findIndex(cell => cell.model.id === cellId);
      if (index >= 0) return { panel, index };
    }
    throw new Error(`No open notebook has a cell '${cellId}'. It may have been deleted.`);
  }

  function there(cellId) {
    return panels().some(panel =>
      panel.content.model && panel.content.widgets.some(cell => cell.model.id === cellId));
  }

  function writable(panel) {
    if (panel.content.model.readOnly || (panel.context.contentsModel || {}).writable === false) {
      throw new Error(`'${panel.context.path}' is read-only; nothing was changed.`);
    }
  }

  /** Makes a change that the next undo takes back alone. A cell's text has a history of its own
   * unless the user has set the notebook to one history for all. */
  function asOneStep(shared, change) {
    const history = shared.undoManager;
    if (history) history.stopCapturing();
    change();
    if (history) history.stopCapturing();
  }

  /** Put a cell into the notebook.
   *
   * @param cellId beside which it goes, the active cell without it.
   * @param path of the notebook that has the cell `cellId`, where several have one.
   * @param near the same, but where that cell is gone the active one takes its place.
   * @param reuse id of a cell that was put in before: while it still holds the same source,
   *   nothing is inserted.
   */
  async function insertCell({ source, where = 'below', cellType = 'code', cellId, path, near, reuse } = {}) {
    if (!['code', 'markdown', 'raw'].includes(cellType)) {
      throw new Error(`There is no cell type '${cellType}': code, markdown or raw.`);
    }
    if (where !== 'below' && where !== 'above') {
      throw new Error(`A cell goes 'below' or 'above', not '${where}'.`);
    }
    if (reuse && there(reuse)) {
      const { panel, index } = find(reuse);
      const held = panel.content.widgets[index].model.sharedModel.getSource();
      if (held === String(source ?? '')) return { cellId: reuse };
    }
    const { panel, index } = find(cellId || (near && there(near) ? near : ''), path);
    writable(panel);
    const notebook = panel.content;
    const at = Math.min(where === 'below' ? index + 1 : index, notebook.widgets.length);
    asOneStep(notebook.model.sharedModel, () => {
      notebook.model.sharedModel.insertCell(at, {
        cell_type: cellType,
        source: String(source ?? ''),
        metadata: cellType === 'code' ? { trusted: true } : {}
      });
    });
    notebook.activeCellIndex = at;
    await notebook.scrollToItem(at).catch(() => {});
    return { cellId: notebook.widgets[at].model.id };
  }

  /** @param expected its text when the difference was drawn; another text is not overwritten. */
  async function replaceCell({ cellId, path, source, expected } = {}) {
    const { panel, index } = find(cellId, path);
    writable(panel);
    const model = panel.content.widgets[index].model;
    if (model.getMetadata('editable') === false) {
      throw new Error(`Cell '${model.id}' is marked as not editable; nothing was changed.`);
    }
    const now = model.sharedModel.getSource();
    if (now === String(source ?? '')) return { cellId: model.id };
    if (expected !== undefined && now !== expected) {
      throw new Error('That cell has been changed since; nothing was replaced. Insert the proposal instead.');
    }
    asOneStep(model.sharedModel, () => model.sharedModel.setSource(String(source ?? '')));
    return { cellId: model.id };
  }

  /** Runs a cell. With limits its kernel is interrupted when the cell itself, not one before it in
   * the queue, has run for so many seconds or has printed so many characters. */
  async function runCell({ cellId, seconds = 0, characters = 0 } = {}) {
    const { panel, index } = find(cellId);
    const kernel = panel.sessionContext.session && panel.sessionContext.session.kernel;
    if (!kernel) {
      throw new Error(`'${panel.context.path}' has no kernel. Start one, then run the cell.`);
    }
    const cell = panel.content.widgets[index];
    const watch = seconds || characters ? watched(cell, kernel, seconds, characters) : null;
    try {
      const ok = await actions.runCells(panel.content, [cell], panel.sessionContext);
      return { ...describe(cell, index), ok, stopped: watch ? watch.stopped() : '' };
    } finally {
      if (watch) watch.end();
    }
  }

  /** The proposed cell that runs now: `interrupt()` stops it, `seconds()` is how long it has run. */
  let running = null;

  function watched(cell, kernel, seconds, characters) {
    let begun = 0;
    let printed = 0;
    let why = '';
    let timer = 0;
    const interrupt = reason => {
      if (why || !begun) return;
      why = reason;
      kernel.interrupt();
    };
    const listen = (_, message) => {
      const future = cell.outputArea && cell.outputArea.future;
      if (!future || message.parent_header.msg_id !== future.msg.header.msg_id) return;
      if (message.header.msg_type === 'execute_input') {
        begun = Date.now();
        if (seconds) {
          timer = setTimeout(() => interrupt(`it was interrupted after ${seconds} s`), 1000 * seconds);
        }
      } else if (message.header.msg_type === 'stream' && characters) {
        printed += message.content.text.length;
        if (printed > characters) interrupt(`it was interrupted: it printed more than ${characters} characters`);
      }
    };
    kernel.iopubMessage.connect(listen);
    const mine = {
      seconds: () => (begun ? (Date.now() - begun) / 1000 : 0),
      interrupt: () => interrupt('you interrupted it'),
      stopped: () => why,
      end: () => {
        clearTimeout(timer);
        kernel.iopubMessage.disconnect(listen);
        if (running === mine) running = null;
      }
    };
    running = mine;
    return mine;
  }

  /** Puts a proposed cell below the one that was named in the question, and runs it within limits. */
  async function runProposed({ source, seconds, cellId, path }) {
    const made = await insertCell({ source, where: 'below', cellId, path });
    const began = Date.now();
    const ran = await runCell({ cellId: made.cellId, seconds, characters: PRINTED_CHARACTERS });
    const error = ran.outputs.find(item => item.type === 'error');
    return {
      cell_id: made.cellId,
      ok: ran.ok,
      seconds: (Date.now() - began) / 1000,
      output: ran.outputs.filter(item => item.type !== 'error').map(item => item.text).join('\n'),
      error: error ? `${error.name}: ${error.value}` : '',
      stopped: ran.stopped
    };
  }

  async function activeCell() {
    const panel = currentPanel();
    const index = panel.content.activeCellIndex;
    const cell = panel.content.widgets[index];
    if (!cell) throw new Error(`'${panel.context.path}' has no cells.`);
    return { ...describe(cell, index), path: panel.context.path };
  }

  const progress = () => running;

  // Tells this tab from the user's others.
  const tab = Math.random().toString(36).slice(2);

  /** Sets the formulas in a node, from its text. */
  const typeset = node => latex && latex.typeset(node);

  return { version: 1, tab, insertCell, replaceCell, runCell, runProposed, progress, activeCell, typeset };
}

/** A cell as plain data; texts are cut, pictures are named and left out. */
export function describe(cell, index) {
  const model = cell.model;
  const told = {
    cellId: model.id,
    index,
    cellType: model.type,
    source: model.sharedModel.getSource(),
    executionCount: model.executionCount ?? null,
    outputs: []
  };
  if (model.type === 'code') {
    for (let at = 0; at < model.outputs.length; at++) {
      told.outputs.push(output(model.outputs.get(at).toJSON()));
    }
  }
  return told;
}

function output(item) {
  const joined = value => cut(Array.isArray(value) ? value.join('') : String(value ?? ''));
  if (item.output_type === 'stream') return { type: 'stream', name: item.name, text: joined(item.text) };
  if (item.output_type === 'error') {
    return {
      type: 'error',
      name: item.ename,
      value: item.evalue,
      text: cut((item.traceback || []).join('\n'))
    };
  }
  const data = item.data || {};
  return { type: item.output_type, mimeTypes: Object.keys(data), text: joined(data['text/plain']) };
}

function cut(text) {
  if (text.length <= OUTPUT_CHARACTERS) return text;
  const half = OUTPUT_CHARACTERS / 2;
  const left = text.length - OUTPUT_CHARACTERS;
  return `${text.slice(0, half)}\n… ${left} characters left out …\n${text.slice(-half)}`;
}
