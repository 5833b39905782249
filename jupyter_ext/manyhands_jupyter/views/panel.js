/* Draws a run. Everything that a model wrote goes in as text (textContent), never as HTML. */

const MARKS = { true: '✓', false: '✗', null: '?' };
const TONES = { true: 'mh-good', false: 'mh-bad', null: 'mh-open' };
const SAID = { true: 'passed', false: 'failed', null: 'undecided' };
const STATUS_TONES = { verified: 'mh-good', refuted: 'mh-bad', failed: 'mh-bad' };
const KIND = 'application/vnd.jupyter.widget-state+json';
/* A notebook may be open in two tabs, and a panel be shown twice in one: what the kernel asks of the
   page is done once, in the page that was clicked. */
const PAGE = (window.manyhandsPage ??= Math.random().toString(36).slice(2));
const DONE = (window.manyhandsDone ??= new Set());

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function button(text, act, label) {
  const node = make('button', '', text);
  node.type = 'button';
  if (label) node.setAttribute('aria-label', label);
  node.addEventListener('click', act);
  return node;
}

/** A line's `code` and **bold** as nodes; the rest stays as it is. */
function inline(parent, text) {
  for (const part of text.split(/(`[^`]+`|\*\*[^*]+\*\*)/)) {
    if (/^`[^`]+`$/.test(part)) parent.append(make('code', '', part.slice(1, -1)));
    else if (/^\*\*[^*]+\*\*$/.test(part)) parent.append(make('strong', '', part.slice(2, -2)));
    else if (part) parent.append(part);
  }
  return parent;
}

/** Paragraphs, lists, headings and fenced code; links and pictures stay text: nothing is loaded. */
export function prose(text) {
  const root = document.createDocumentFragment();
  const lines = text.split('\n');
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    if (/^\s*```/.test(line)) {
      const code = [];
      at += 1;
      while (at < lines.length && !/^\s*```/.test(lines[at])) code.push(lines[at++]);
      at += 1;
      root.append(make('pre', '', code.join('\n')));
    } else if (/^\s*([-*]|\d+[.)])\s+/.test(line)) {
      const list = make(/^\s*\d/.test(line) ? 'ol' : 'ul');
      while (at < lines.length && /^\s*([-*]|\d+[.)])\s+/.test(lines[at])) {
        list.append(inline(make('li'), lines[at++].replace(/^\s*([-*]|\d+[.)])\s+/, '')));
      }
      root.append(list);
    } else if (/^#{1,6}\s/.test(line)) {
      const head = make('p');
      head.append(make('strong', '', line.replace(/^#+\s*/, '')));
      root.append(head);
      at += 1;
    } else if (line.trim()) {
      const said = [];
      while (at < lines.length && lines[at].trim() && !/^\s*(```|#{1,6}\s|[-*]\s)/.test(lines[at])) {
        said.push(lines[at++]);
      }
      if (!said.length) said.push(lines[at++]);
      root.append(inline(make('p'), said.join(' ')));
    } else at += 1;
  }
  return root;
}

function cost(node) {
  const parts = [];
  if (node.model) parts.push(`${node.role} on ${node.model}`);
  if (node.attempt > 1) parts.push(`attempt ${node.attempt}`);
  if (node.seconds) parts.push(`${node.seconds.toFixed(1)} s`);
  if (node.tokens) parts.push(`${node.tokens} tokens`);
  return parts.join(' · ');
}

function drawStep(step) {
  const item = make('li');
  item.dataset.state = step.state;
  const head = make('div');
  head.append(make('span', 'mh-name', `${step.id}${step.hand ? ` · ${step.hand}` : ''} `));
  head.append(make('span', STATUS_TONES[step.state] || 'mh-quiet', step.state));
  item.append(head);
  if (step.task) item.append(make('div', 'mh-quiet', step.task.length > 160 ? `${step.task.slice(0, 159)}…` : step.task));
  const spent = cost(step);
  if (spent) item.append(make('div', 'mh-quiet', spent));
  if (step.doing) item.append(make('div', '', `… ${step.doing}`));
  if (step.badges.length) {
    const badges = make('div', 'mh-badges');
    for (const badge of step.badges) {
      const node = make('span', `mh-badge ${TONES[badge.passed]}`, `${MARKS[badge.passed]} ${badge.name}`);
      node.title = badge.evidence;
      node.setAttribute('aria-label', `${badge.name} ${SAID[badge.passed]}: ${badge.evidence}`);
      badges.append(node);
    }
    item.append(badges);
  }
  return item;
}

function headline(tree, ended) {
  if (!ended && (tree.state === 'running' || tree.state === 'waiting')) {
    const seconds = tree.began ? Math.max(0, Math.round(Date.now() / 1000 - tree.began)) : 0;
    const step = tree.steps.find(one => one.state === 'running');
    const doing = step ? `${step.id}: ${step.doing || 'works'}` : tree.doing || 'works';
    return `… ${doing} · ${seconds} s`;
  }
  const said = tree.status ? `${tree.state} · ${tree.status}` : tree.state;
  return `${said} · ${tree.seconds.toFixed(1)} s · ${tree.tokens} tokens`;
}

/** Keeps this panel in the notebook itself, so that it is drawn again without a kernel. */
function remember(model) {
  const manager = model.widget_manager;
  const notebook = manager && manager.context && manager.context.model;
  if (!notebook || !notebook.setMetadata || !manager.get_state_sync) return;
  const all = manager.get_state_sync({ drop_defaults: false }).state;
  const widgets = { ...(notebook.getMetadata('widgets') || {}) };
  const before = widgets[KIND] || { version_major: 2, version_minor: 0, state: {} };
  const state = { ...before.state };
  for (const id of [model.get('me'), model.get('box')]) if (all[id]) state[id] = all[id];
  widgets[KIND] = { ...before, state };
  notebook.setMetadata('widgets', widgets);
}

function render({ model, el }) {
  const root = make('section', 'mh-panel');
  root.setAttribute('role', 'region');
  root.setAttribute('aria-label', 'What the mind does');
  const head = make('div', 'mh-head');
  const state = make('div', 'mh-state');
  state.setAttribute('role', 'status');
  const stop = button('Stop', () => {
    stop.disabled = true;
    model.send({ act: 'stop' });
  }, 'Stop this run');
  stop.className = 'mh-stop';
  head.append(state, stop);
  const scripted = make('div', 'mh-open', 'The models are scripted (rehearsal).');
  const message = make('div', 'mh-message');
  message.setAttribute('role', 'alert');
  const asks = make('div');
  const trace = make('details', 'mh-trace');
  trace.open = true;
  const summary = make('summary', '', 'Thoughts and hands');
  const goal = make('div', 'mh-quiet');
  const steps = make('ul');
  const notes = make('ul');
  trace.append(summary, goal, steps, notes);
  const answer = make('div', 'mh-answer');
  answer.setAttribute('aria-live', 'off');
  const pictures = make('div', 'mh-pictures');
  const cells = make('div');
  const rating = make('div', 'mh-row');
  const good = button('👍', () => rate(true), 'The answer is good');
  const bad = button('👎', () => rate(false), 'The answer is bad');
  const reason = make('input');
  reason.type = 'text';
  reason.placeholder = 'Why? (Enter sends it)';
  reason.setAttribute('aria-label', 'Why the answer is good or bad');
  reason.hidden = true;
  reason.addEventListener('keydown', event => {
    event.stopPropagation();
    if (event.key === 'Enter') rate(model.get('tree').rating !== 'bad', reason.value);
  });
  const rated = make('span', 'mh-quiet');
  rated.setAttribute('role', 'status');
  rating.append(good, bad, reason, rated);
  root.append(head, scripted, message, asks, trace, answer, pictures, cells, rating);
  el.append(root);

  function rate(isGood, why = '') {
    model.send({ act: 'rate', good: isGood, reason: why });
    reason.hidden = false;
    if (!why) reason.focus();
  }

  const drawn = {};
  const changed = (name, value) => {
    const text = JSON.stringify(value);
    if (drawn[name] === text) return false;
    drawn[name] = text;
    return true;
  };

  function drawTree() {
    const tree = model.get('tree');
    const ended = model.get('ended');
    state.textContent = headline(tree, ended);
    state.className = `mh-state ${ended ? STATUS_TONES[tree.status] || '' : ''}`;
    stop.hidden = ended;
    scripted.hidden = !tree.simulated;
    if (model.get('waits') && !ended) stop.title = 'While the cell waits, interrupt the kernel';
    message.textContent = model.get('message');
    message.hidden = !model.get('message');
    if (changed('steps', [tree.goal, tree.route, tree.steps, tree.notes])) {
      goal.textContent = tree.goal ? `${tree.goal} [${tree.route}]` : '';
      steps.replaceChildren(...tree.steps.map(drawStep));
      notes.replaceChildren(...tree.notes.map(note => make('li', 'mh-quiet', note)));
    }
    trace.hidden = !tree.goal && !tree.steps.length && !tree.notes.length;
    if (changed('answer', tree.answer)) answer.replaceChildren(prose(tree.answer || ''));
    rating.hidden = !ended || !tree.run_id;
    good.setAttribute('aria-pressed', String(tree.rating === 'good'));
    bad.setAttribute('aria-pressed', String(tree.rating === 'bad'));
    rated.textContent = tree.rating ? `kept: ${tree.rating}${tree.reason ? `, ${tree.reason}` : ''}` : '';
  }

  function drawPictures() {
    pictures.replaceChildren(...model.get('pictures').map(data => {
      const image = make('img');
      image.alt = 'A chart that the run drew';
      image.src = `data:image/png;base64,${data}`;
      return image;
    }));
  }

  function drawAsks() {
    asks.replaceChildren(...model.get('asks').map(ask => {
      const box = make('div', 'mh-ask');
      box.setAttribute('role', 'group');
      box.setAttribute('aria-label', `Approval: ${ask.summary}`);
      box.append(make('div', 'mh-name', `May the mind ${ask.summary}?`), make('div', 'mh-quiet', ask.why));
      if (ask.preview) box.append(make('pre', '', ask.preview));
      const row = make('div', 'mh-row');
      const decide = choice => () => {
        row.querySelectorAll('button').forEach(one => (one.disabled = true));
        model.send({ act: 'decide', id: ask.id, choice });
      };
      row.append(
        button('Allow once', decide('once')),
        button('Allow for this session', decide('session')),
        button('Deny', decide('no'))
      );
      box.append(row);
      return box;
    }));
    const first = asks.querySelector('button');
    if (first && changed('asks', model.get('asks'))) first.focus({ preventScroll: true });
  }

  function drawDiff(text) {
    const pre = make('pre');
    pre.setAttribute('aria-label', 'What a replacement changes');
    for (const line of text.split('\n')) {
      const tone = /^\+(?!\+\+)/.test(line) ? 'mh-add' : /^-(?!--)/.test(line) ? 'mh-del' : '';
      pre.append(make('span', tone, line), '\n');
    }
    return pre;
  }

  async function place(cell, index, name) {
    const lab = window.manyhandsLab;
    try {
      const made = name === 'replaceCell'
        ? await lab.replaceCell({ cellId: cell.replaces, source: cell.source })
        : await lab.insertCell({ source: cell.source, where: 'below' });
      if (name === 'insertCell') model.send({ act: 'placed', index, cellId: made.cellId });
      note(index, name === 'replaceCell' ? 'replaced (undo takes it back)' : 'inserted (undo takes it back)');
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

  function note(index, text) {
    const line = cells.querySelector(`[data-index="${index}"] .mh-cell-state`);
    if (line) line.textContent = text;
  }

  function drawCells() {
    const lab = Boolean(window.manyhandsLab);
    cells.replaceChildren(...model.get('cells').map((cell, index) => {
      const box = make('div', 'mh-cell');
      box.dataset.index = String(index);
      box.setAttribute('role', 'group');
      box.setAttribute('aria-label', `Proposed cell ${index + 1}`);
      box.append(make('div', 'mh-name', `Proposed cell: ${cell.title}`));
      box.append(cell.diff ? drawDiff(cell.diff) : make('pre', '', cell.source));
      const row = make('div', 'mh-row');
      const busy = cell.state.startsWith('runs') || cell.state.startsWith('waits');
      if (lab) row.append(button('Insert', () => place(cell, index, 'insertCell'), `Insert proposed cell ${index + 1} below`));
      if (lab && cell.replaces) row.append(button('Replace', () => place(cell, index, 'replaceCell'), `Replace the cell with proposed cell ${index + 1}`));
      const run = button('Run …', () => model.send({ act: 'run', index, page: PAGE }), `Run proposed cell ${index + 1} after approval`);
      run.disabled = busy;
      row.append(run, button('Copy', () => copy(cell, index), `Copy proposed cell ${index + 1}`));
      const told = make('span', `mh-cell-state ${cell.ok === true ? 'mh-good' : cell.ok === false ? 'mh-bad' : 'mh-quiet'}`, cell.state);
      told.setAttribute('role', 'status');
      row.append(told);
      box.append(row);
      if (cell.output) box.append(make('pre', '', cell.output));
      return box;
    }));
  }

  async function obey(content) {
    if (!content || !content.call || content.page !== PAGE) return;
    const key = `${model.get('me')} ${content.token}`;
    if (DONE.has(key)) return;
    DONE.add(key);
    const reply = { act: 'answered', token: content.token };
    try {
      if (!window.manyhandsLab) throw new Error('The lab extension of manyhands is not loaded.');
      reply.result = await window.manyhandsLab[content.call](content.arguments);
    } catch (error) {
      reply.error = error.message || String(error);
    }
    model.send(reply);
  }

  const clock = setInterval(() => {
    if (!model.get('ended')) state.textContent = headline(model.get('tree'), false);
  }, 1000);
  const onEnd = () => {
    drawTree();
    if (model.get('ended')) setTimeout(() => remember(model), 500);
  };
  const keep = () => {
    if (model.get('ended')) remember(model);
  };
  const listeners = [
    ['change:tree', () => { drawTree(); keep(); }],
    ['change:message', drawTree],
    ['change:ended', onEnd],
    ['change:pictures', drawPictures],
    ['change:asks', drawAsks],
    ['change:cells', drawCells],
    ['msg:custom', obey]
  ];
  listeners.forEach(([name, act]) => model.on(name, act));
  if (window.manyhandsLab) {
    if (!model.get('lab')) {
      model.set('lab', true);
      model.save_changes();
    }
    model.send({ act: 'lab', page: PAGE });
  }
  drawTree();
  drawPictures();
  drawAsks();
  drawCells();
  if (model.get('ended')) setTimeout(() => remember(model), 500);
  return () => {
    clearInterval(clock);
    listeners.forEach(([name, act]) => model.off(name, act));
  };
}

export default { render };
