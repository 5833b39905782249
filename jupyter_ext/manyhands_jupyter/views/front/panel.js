/* Draws a run as it goes on, and keeps it in the notebook, so that it is seen without a kernel too. */

const KIND = 'application/vnd.jupyter.widget-state+json';
/* A notebook may be open in two tabs, and a panel be shown twice in one: what the kernel asks of the
   page is done once, in the page that was clicked. */
const PAGE = (window.manyhandsPage ??= Math.random().toString(36).slice(2));
const DONE = (window.manyhandsDone ??= new Set());

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

/** Calls `tell` with whether the kernel that made this panel is still there, now and later. */
function watchKernel(model, tell) {
  const manager = model.widget_manager;
  if (!manager || !manager.has_model || !manager.has_model(model.get('me'))) return () => {};
  let real = null;
  const look = () => tell(real.comm_live !== false);
  manager.get_model(model.get('me')).then(found => {
    real = found;
    real.on('comm_live_update', look);
    look();
  });
  return () => real && real.off('comm_live_update', look);
}

function makeRating(model) {
  const root = make('div', 'mh-row');
  const good = button('', () => rate(true), 'The answer is good');
  const bad = button('', () => rate(false), 'The answer is bad');
  good.append(thumb(true));
  bad.append(thumb(false));
  const reason = make('input');
  reason.type = 'text';
  reason.placeholder = 'Why? Enter keeps it';
  reason.setAttribute('aria-label', 'Why the answer is good or bad');
  reason.hidden = true;
  reason.addEventListener('keydown', event => {
    if (event.key === 'Enter') rate(chosen, reason.value);
  });
  const rated = make('span', 'mh-quiet');
  rated.setAttribute('role', 'status');
  root.append(good, bad, reason, rated);
  let chosen = true; // the kernel's own word on it may come after the reason was typed

  function rate(isGood, why = '') {
    chosen = isGood;
    model.send({ act: 'rate', good: isGood, reason: why });
    reason.hidden = Boolean(why);
    if (!why) reason.focus();
  }

  function draw(tree) {
    good.setAttribute('aria-pressed', String(tree.rating === 'good'));
    bad.setAttribute('aria-pressed', String(tree.rating === 'bad'));
    rated.textContent = tree.rating ? `Kept: ${tree.rating}${tree.reason ? `, ${tree.reason}` : ''}.` : '';
  }

  return { root, draw };
}

function render({ model, el }) {
  let living = true;
  const over = () => model.get('ended') || !living;
  const root = own(make('section', 'mh-panel'));
  root.setAttribute('role', 'region');
  root.tabIndex = -1;
  root.setAttribute('aria-label', 'What the mind does');
  const head = make('div', 'mh-head');
  const state = make('span');
  state.setAttribute('role', 'status');
  const time = make('span', 'mh-clock');
  const line = make('div', 'mh-state');
  line.append(state, time);
  const stop = button('Stop', () => {
    stop.textContent = 'Stopping…';
    // A cell that waits reads no clicks: there the kernel is interrupted, as its own button does.
    const kernel = model.get('waits') && model.widget_manager && model.widget_manager.kernel;
    if (kernel) kernel.interrupt();
    else model.send({ act: 'stop' });
  }, 'Stop this run');
  stop.className = 'mh-stop';
  head.append(line, stop);
  const scripted = make('div', 'mh-open', 'The models are scripted (rehearsal).');
  const message = make('div', 'mh-message');
  message.setAttribute('role', 'alert');
  const asks = make('div');
  const trace = make('details', 'mh-tree');
  trace.open = true;
  const goal = make('div', 'mh-quiet');
  const steps = make('ul');
  const notes = make('ul');
  trace.append(own(make('summary', '', 'Thoughts and hands')), goal, steps, notes);
  const answer = make('div', 'mh-answer');
  const open = make('ul', 'mh-open-points');
  open.setAttribute('aria-label', 'What stays open');
  const pictures = make('div', 'mh-pictures');
  const cells = makeCells({ model, alive: () => living, page: PAGE });
  const rating = makeRating(model);
  root.append(head, scripted, message, asks, trace, answer, open, pictures, cells.root, rating.root);
  el.append(root);

  const turned = new Set();
  const drawn = {};
  const changed = (name, value) => {
    const text = JSON.stringify(value);
    if (drawn[name] === text) return false;
    drawn[name] = text;
    return true;
  };

  function told(tree) {
    if (model.get('message')) return model.get('message');
    if (model.get('ended') || living) return '';
    const way = tree.run_id ? ` After \`%load_ext manyhands\`, \`%mind resume ${tree.run_id}\` goes on with it.` : '';
    return `The kernel ended while this was worked on.${way}`;
  }

  function drawHead() {
    const tree = model.get('tree');
    const cut = !model.get('ended') && !living;
    const said = cut ? 'cut' : headline(tree, over());
    if (state.textContent !== said) state.textContent = said;
    time.textContent = cut ? '' : clock(tree, over());
  }

  function drawTree() {
    const tree = model.get('tree');
    drawHead();
    line.className = `mh-state ${over() ? STATUS_TONES[tree.status || tree.state] || '' : ''}`;
    if (over() && document.activeElement === stop) root.focus();
    stop.hidden = over();
    scripted.hidden = !tree.simulated;
    const words = told(tree);
    if (changed('message', words)) message.replaceChildren(inline(document.createDocumentFragment(), words));
    message.hidden = !words;
    message.classList.toggle('mh-bad', tree.state === 'failed');
    if (changed('steps', [tree.goal, tree.route, tree.steps, tree.notes])) {
      goal.textContent = tree.goal ? `${tree.goal} · ${tree.route}` : '';
      swap(steps, tree.steps.map(step => drawStep(step, turned, tree.answer || '')));
      notes.replaceChildren(...tree.notes.map(note => make('li', 'mh-quiet', note)));
    }
    trace.hidden = !tree.goal && !tree.steps.length && !tree.notes.length;
    const proposed = model.get('cells').map(cell => cell.source);
    // Formulas are set once they stand: a page that typesets each word flickers.
    if (changed('answer', [tree.answer, proposed, over()])) {
      answer.replaceChildren(prose(tree.answer || '', proposed));
      if (over()) typeset(answer);
    }
    const points = over() ? openPoints(tree) : [];
    if (changed('open', points)) open.replaceChildren(...points.map(point => make('li', '', `open: ${point}`)));
    open.hidden = !points.length;
    const nothing = !tree.answer || tree.state === 'failed' || NOTHING.includes(tree.status);
    rating.root.hidden = !model.get('ended') || nothing || !living;
    rating.draw(tree);
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
    const open = living ? model.get('asks') : [];
    swap(asks, open.filter(ask => ask.cell < 0).map(ask => drawAsk(model, ask)));
    cells.draw();
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

  function drawAll() {
    drawTree();
    drawPictures();
    drawAsks();
  }

  const ticking = setInterval(drawHead, 1000);
  const keep = () => {
    if (model.get('ended')) setTimeout(() => remember(model), 500);
  };
  const listeners = [
    ['change:tree', () => { drawTree(); keep(); }],
    ['change:message', drawTree],
    ['change:ended', () => { drawTree(); keep(); }],
    ['change:pictures', () => { drawPictures(); keep(); }],
    ['change:asks', drawAsks],
    ['change:cells', () => { cells.draw(); drawTree(); keep(); }],
    ['msg:custom', obey]
  ];
  listeners.forEach(([name, act]) => model.on(name, act));
  const leave = watchKernel(model, there => {
    const first = there && window.manyhandsLab;
    living = there;
    if (first) model.send({ act: 'lab', page: PAGE });
    drawAll();
  });
  drawAll();
  keep();
  return () => {
    clearInterval(ticking);
    leave();
    listeners.forEach(([name, act]) => model.off(name, act));
  };
}

export default { render };
