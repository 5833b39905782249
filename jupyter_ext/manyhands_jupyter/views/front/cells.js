/* Proposed cells, and what the mind may do only after a person has said so. */

/** One question for a person; `model` is told what was chosen. */
function drawAsk(model, ask) {
  const box = own(make('div', 'mh-ask'));
  box.setAttribute('role', 'group');
  box.setAttribute('aria-label', `Approval: ${ask.summary}`);
  box.tabIndex = -1;
  const asked = make('div', 'mh-name', `May the mind ${ask.summary}?`);
  asked.setAttribute('role', 'alert');
  box.append(asked, make('div', 'mh-quiet', `Asked because ${ask.why}${ask.each ? '; each run is asked about then' : ''}.`));
  if (ask.preview) box.append(make('pre', '', ask.preview));
  const row = make('div', 'mh-row');
  // Not disabled after the choice: a button that is has no focus, and the keyboard would be lost.
  let chosen = false;
  const decide = (text, choice) => button(text, () => {
    if (!chosen) model.send({ act: 'decide', id: ask.id, choice });
    chosen = true;
    row.classList.add('mh-chosen');
  }, '', `${ask.id} ${choice}`);
  row.append(decide('Allow once', 'once'));
  if (!ask.each) row.append(decide('Allow for this session', 'session'));
  row.append(decide('Deny', 'no'));
  box.append(row);
  return box;
}

/** A unified diff without its file names; each further part begins with a mark. */
function drawDiff(text) {
  const pre = make('pre');
  pre.setAttribute('aria-label', 'What a replacement changes');
  text.split('\n').slice(2).forEach((line, at) => {
    if (line.startsWith('@@')) {
      if (at) pre.append(make('span', 'mh-quiet', '⋯'), '\n');
      return;
    }
    pre.append(make('span', line[0] === '+' ? 'mh-add' : line[0] === '-' ? 'mh-del' : '', line), '\n');
  });
  return pre;
}

/** The proposed cells of one panel.
 *
 * @param alive whether the kernel that asked is still there.
 * @param page id of this page: it does what the kernel asks after a click here.
 */
function makeCells({ model, alive, page }) {
  const root = make('div');
  const said = new Map();
  let clicked = false;

  function note(index, text) {
    said.set(index, text);
    draw();
  }

  async function place(cell, index, name) {
    const lab = window.manyhandsLab;
    try {
      if (name === 'replaceCell') {
        await lab.replaceCell({ cellId: cell.replaces, source: cell.source, expected: cell.before });
        note(index, 'replaced; undo in that cell takes it back');
      } else {
        const made = await lab.insertCell({ source: cell.source, near: model.get('home') });
        if (alive()) model.send({ act: 'placed', index, cellId: made.cellId });
        note(index, 'inserted; undo takes it back');
      }
    } catch (error) {
      note(index, error.message);
    }
  }

  async function copy(cell, index) {
    try {
      await navigator.clipboard.writeText(cell.source);
      note(index, 'copied');
    } catch {
      note(index, 'The browser does not let this page copy; select the text.');
    }
  }

  function run(index) {
    said.delete(index);
    clicked = true;
    model.send({ act: 'run', index, page });
  }

  function interrupt() {
    const kernel = model.widget_manager && model.widget_manager.kernel;
    if (kernel) kernel.interrupt();
  }

  function drawRow(cell, index) {
    const row = make('div', 'mh-row');
    const many = model.get('cells').length > 1 ? ` ${index + 1}` : '';
    const add = (text, act, label) => {
      const node = button(text, act, label, `${text} ${index}`);
      row.append(node);
      return node;
    };
    const busy = cell.state.startsWith('runs') || cell.state.startsWith('waits');
    if (window.manyhandsLab) {
      add('Insert', () => place(cell, index, 'insertCell'), `Insert proposed cell${many} below`);
      if (cell.replaces) add('Replace', () => place(cell, index, 'replaceCell'), `Replace the cell by proposed cell${many}`);
    }
    if (cell.limit) add('Interrupt', interrupt, `Interrupt proposed cell${many}`);
    else {
      const node = add('Run…', () => run(index), `Run proposed cell${many} after approval`);
      node.disabled = busy || !alive();
      if (!alive()) node.title = 'The kernel that asked has ended: insert the cell and run it.';
    }
    add('Copy', () => copy(cell, index), `Copy proposed cell${many}`);
    if (cell.limit) {
      const bar = make('progress');
      bar.max = cell.limit;
      bar.value = Math.min(cell.seconds, cell.limit);
      bar.setAttribute('aria-label', 'Time of the run, up to its limit');
      row.append(bar);
    }
    const told = said.get(index) || cell.state;
    const tone = said.has(index) || cell.ok === null ? 'mh-quiet' : cell.ok ? 'mh-good' : 'mh-bad';
    const state = make('span', `mh-cell-state ${tone}`, told);
    state.setAttribute('role', 'status');
    row.append(state);
    return row;
  }

  function draw() {
    const cell = document.activeElement.closest('.mh-cell');
    const at = cell && root.contains(cell) ? cell.dataset.index : '';
    swap(root, model.get('cells').map((cell, index) => {
      const box = make('div', 'mh-cell');
      box.setAttribute('role', 'group');
      box.setAttribute('aria-label', `Proposed cell ${index + 1}`);
      box.dataset.index = String(index);
      box.append(make('div', 'mh-name', `Proposed cell · ${cell.title}`));
      box.append(cell.diff ? drawDiff(cell.diff) : make('pre', '', cell.source), drawRow(cell, index));
      const ask = alive() && model.get('asks').find(one => one.cell === index);
      if (ask) box.append(drawAsk(model, { ...ask, preview: cell.diff ? ask.preview : '' }));
      if (cell.output) box.append(make('pre', '', cell.output));
      return box;
    }));
    const ask = root.querySelector('.mh-ask');
    // Only after a click in here: nobody who types elsewhere shall approve by that.
    if (ask && clicked) {
      clicked = false;
      ask.focus();
    } else if (at && !root.contains(document.activeElement)) {
      root.querySelector(`[data-index="${at}"] button:enabled`).focus({ preventScroll: true });
    }
  }

  return { root, draw };
}
