/* The run as a tree: its state in one line, then its steps with who worked and what checks found. */

const MARKS = { true: '✓', false: '✗', null: '?' };
const TONES = { true: 'mh-good', false: 'mh-bad', null: 'mh-open' };
const SAID = { true: 'passed', false: 'failed', null: 'undecided' };
const STATUS_TONES = { verified: 'mh-good', refuted: 'mh-bad', failed: 'mh-bad' };
const LIVE = ['running', 'waiting'];
/** Statuses of a step whose reason a person wants to know, and those of an answer that is none. */
const WANTING = ['unverified', 'refuted', 'failed', 'cannot'];
const NOTHING = ['failed', 'cannot'];

function cost(node) {
  const parts = [];
  if (node.model) parts.push(`${node.role} on ${node.model}`);
  if (node.attempt > 1) parts.push(`attempt ${node.attempt}`);
  if (node.seconds) parts.push(`${node.seconds.toFixed(1)} s`);
  if (node.tokens) parts.push(`${node.tokens} tokens`);
  return parts.join(' · ');
}

/** Mark, tone and word of a badge; what a model said of the work is no check, and looks like none. */
function look(badge) {
  if (badge.opinion) return { mark: '○', tone: 'mh-quiet', said: 'by a model, no check' };
  return { mark: MARKS[badge.passed], tone: TONES[badge.passed], said: SAID[badge.passed] };
}

/** What a check found is behind its badge, and shown at once unless it passed; `turned` holds the
 * keys of those that a person has turned over. */
function drawBadges(step, turned) {
  const row = make('div', 'mh-checks');
  const found = make('div');
  step.badges.forEach((badge, at) => {
    const key = `${step.id} ${at} ${badge.name}`;
    const line = make('div', 'mh-found', badge.evidence || 'No reason was given.');
    line.hidden = badge.passed === true ? !turned.has(key) : turned.has(key);
    const { mark, tone, said } = look(badge);
    const node = button(`${mark} ${badge.name}`, () => {
      line.hidden = !line.hidden;
      node.setAttribute('aria-expanded', String(!line.hidden));
      turned[turned.has(key) ? 'delete' : 'add'](key);
    }, `${badge.name} ${said}: show what was found`, key);
    node.className = `mh-check ${tone}`;
    node.setAttribute('aria-expanded', String(!line.hidden));
    node.title = badge.evidence;
    row.append(node);
    found.append(line);
  });
  return [row, found];
}

/** @param answer what is said below: a summary that is in it is not said twice. */
function drawStep(step, turned, answer) {
  const item = make('li');
  item.dataset.state = step.state;
  const head = make('div');
  head.append(make('span', 'mh-name', `${step.id}${step.hand && step.hand !== step.id ? ` · ${step.hand}` : ''} `));
  head.append(make('span', STATUS_TONES[step.state] || 'mh-quiet', step.state));
  item.append(head);
  if (step.task) item.append(make('div', 'mh-quiet', step.task.length > 160 ? `${step.task.slice(0, 159)}…` : step.task));
  const spent = cost(step);
  if (spent) item.append(make('div', 'mh-quiet', spent));
  if (step.doing) item.append(make('div', '', `… ${step.doing}`));
  if (step.badges.length) item.append(...drawBadges(step, turned));
  else if (step.state === 'unverified') item.append(make('div', 'mh-found', 'no check was run'));
  if (WANTING.includes(step.state) && step.summary && !answer.includes(step.summary)) {
    item.append(make('div', 'mh-found', step.summary));
  }
  return item;
}

/** What goes on, in words; the clock is apart from it, so that it is not read out each second. */
function headline(tree, ended) {
  if (!ended && LIVE.includes(tree.state)) {
    const step = tree.steps.find(one => one.state === 'running');
    return `… ${step ? `${step.id}: ${step.doing || 'works'}` : tree.doing || 'works'}`;
  }
  if (NOTHING.includes(tree.status)) return tree.status;
  return tree.status ? `${tree.state} · ${tree.status}` : tree.state;
}

/** Whether a text says a point, or is what the point is about. */
const holds = (text, point) => text.includes(point) || point.endsWith(`: ${text}`);

/** Why an answer is not verified, point by point, as far as that is not said elsewhere. */
function openPoints(tree) {
  const said = [tree.answer, ...tree.steps.flatMap(step => step.badges.map(badge => badge.evidence))];
  return (tree.open_points || []).filter(point => !said.some(text => text && holds(text, point)));
}

function clock(tree, ended) {
  if (!ended && LIVE.includes(tree.state)) {
    return tree.began ? ` · ${Math.max(0, Math.round(Date.now() / 1000 - tree.began))} s` : '';
  }
  return tree.seconds ? ` · ${tree.seconds.toFixed(1)} s · ${tree.tokens} tokens` : '';
}
