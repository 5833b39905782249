/* What stands above a reply: its state, thoughts, hands, checks, approvals, pictures and cells. */
import { makeProposals } from './proposals.js';
import { makeRating } from './rating.js';

const MARKS = { true: '✓', false: '✗', null: '?' };
const OPINION = '○';
const NOTHING = ['failed', 'cannot'];
const OVER = ['answered', 'asked', 'failed', 'stopped', 'cut'];

export function makeTrace({ React, request, address, bridge }) {
  const h = React.createElement;
  const { useState } = React;
  const Proposals = makeProposals({ React, bridge, request });
  const Rating = makeRating({ React, request });

  const Chip = ({ state }) => h('span', { className: `mh-chip mh-is-${state}` }, state);

  const seconds = value => (value ? `${value.toFixed(1)} s` : '');
  const tokens = value => (value ? `${value} tokens` : '');
  const joined = (...parts) => parts.filter(Boolean).join(' · ');

  /** Text in which `names` between backticks are shown as code. */
  const withCode = text =>
    text.split(/`([^`\n]+)`/).map((part, at) => (at % 2 ? h('code', { key: at }, part) : part));

  const Badge = ({ badge }) =>
    h(
      'li',
      { className: `mh-badge mh-passed-${badge.opinion ? 'opinion' : badge.passed}` },
      h('span', { 'aria-hidden': true }, badge.opinion ? OPINION : MARKS[badge.passed]),
      h('span', { className: 'mh-hidden' },
        badge.opinion ? 'no check: ' : { true: 'passed: ', false: 'failed: ', null: 'open: ' }[badge.passed]),
      h('b', null, badge.name),
      badge.evidence ? `: ${badge.evidence}` : badge.passed ? '' : ': no reason was given'
    );

  const Step = ({ step }) =>
    h(
      'li',
      { className: 'mh-step' },
      h('div', { className: 'mh-step-head' },
        h('b', null, step.hand || step.id),
        h(Chip, { state: step.state }),
        h('span', { className: 'mh-quiet' },
          joined(step.model, step.attempt > 1 ? `attempt ${step.attempt}` : '', seconds(step.seconds), tokens(step.tokens)))
      ),
      step.task ? h('div', { className: 'mh-task', title: step.task }, withCode(step.task)) : null,
      step.doing ? h('div', { className: 'mh-quiet' }, `… ${step.doing}`) : null,
      step.badges.length
        ? h('ul', { className: 'mh-badges' }, step.badges.map((badge, at) => h(Badge, { key: at, badge })))
        : step.state === 'unverified' ? h('div', { className: 'mh-quiet' }, 'no check was run') : null,
      step.summary && OVER.concat('verified', 'refuted', 'unverified', 'cannot').includes(step.state)
        ? h('div', { className: 'mh-summary' }, withCode(step.summary))
        : null
    );

  const Thought = ({ thought }) =>
    h('details', { className: 'mh-thought' },
      h('summary', null, joined(`${thought.who} thought`, thought.step, seconds(thought.seconds))),
      h('div', { className: 'mh-thought-text' }, thought.text)
    );

  function Approval({ waiting }) {
    const [given, setGiven] = useState('');
    const answer = choice => async () => {
      setGiven(choice);
      try {
        await request('approvals', { id: waiting.id, choice });
      } catch (error) {
        setGiven(`not taken: ${error.message}`);
      }
    };
    const button = (choice, label) =>
      h('button', { key: choice, className: `mh-button mh-${choice}`, disabled: !!given, onClick: answer(choice) }, label);
    return h(
      'div',
      { className: 'mh-approval', role: 'group', 'aria-label': `Approval: ${waiting.summary}` },
      h('div', { role: 'alert' }, h('b', null, 'May this happen? '), waiting.summary),
      h('div', { className: 'mh-quiet' }, `Asked because ${waiting.why}.`),
      h('pre', { className: 'mh-preview' }, waiting.preview || JSON.stringify(waiting.arguments, null, 1)),
      h('div', { className: 'mh-row' },
        button('once', 'Allow once'),
        waiting.each ? null : button('session', 'Allow for this session'),
        button('no', 'Deny'),
        given ? h('span', { className: 'mh-quiet', role: 'status' }, given) : null)
    );
  }

  const Picture = ({ picture }) =>
    h('figure', { className: 'mh-picture' },
      h('img', { src: address(`artifacts/${picture.id}`), alt: `Picture ${picture.name}`, loading: 'lazy' }));

  const Head = ({ told }) => {
    const checks = told.steps.reduce((sum, step) => sum + step.badges.filter(badge => !badge.opinion).length, 0);
    const count = (number, one) => (number ? `${number} ${one}${number === 1 ? '' : 's'}` : '');
    return h(
      'summary',
      null,
      h(Chip, { state: told.waiting ? 'waiting' : told.status || told.state }),
      ' ',
      h('span', { className: 'mh-quiet' },
        joined(
          count(told.thoughts.length, 'thought'), count(told.steps.length, 'step'), count(checks, 'check'),
          seconds(told.seconds), tokens(told.tokens), told.simulated ? 'scripted models' : ''))
    );
  };

  const ours = message => {
    const told = message.metadata && message.metadata.manyhands;
    return told && told.version === 1 ? told : null;
  };

  /** Above a reply: its trace; nothing for messages that are not ours. */
  function Trace({ message }) {
    const told = ours(message);
    if (!told) return null;
    const over = OVER.includes(told.state);
    const parts = [
      told.goal ? h('div', { key: 'goal', className: 'mh-goal' }, told.goal) : null,
      ...told.thoughts.map((thought, at) => h(Thought, { key: `t${at}`, thought })),
      told.steps.length
        ? h('ol', { key: 'steps', className: 'mh-steps' }, told.steps.map(step => h(Step, { key: step.id, step })))
        : null,
      told.notes.length
        ? h('ul', { key: 'notes', className: 'mh-notes' }, told.notes.map((note, at) => h('li', { key: at }, note)))
        : null,
      told.seen.length
        ? h('div', { key: 'seen', className: 'mh-quiet' }, `Sent with it: ${told.seen.join(', ')}. /seen shows it.`)
        : null,
      told.run_id ? h('div', { key: 'run', className: 'mh-quiet' }, `run ${told.run_id}`) : null
    ].filter(Boolean);
    return h(
      'section',
      { className: 'mh-trace', 'aria-label': 'Thoughts and hands' },
      h('details', { open: !over || undefined, key: over ? 'over' : 'live' }, h(Head, { told }), ...parts),
      !over && told.doing && !told.waiting ? h('div', { className: 'mh-doing', role: 'status' }, `… ${told.doing}`) : null,
      told.waiting ? h(Approval, { waiting: told.waiting, key: told.waiting.id }) : null,
      ...told.pictures.map(picture => h(Picture, { key: picture.id, picture }))
    );
  }

  /** Below a reply: the cells that it proposes, and what a person thinks of it. */
  function Below({ message }) {
    const told = ours(message);
    if (!told || !OVER.includes(told.state)) return null;
    return h('div', { className: 'mh-below' },
      told.proposals.length ? h(Proposals, { cells: told.proposals, runId: told.run_id }) : null,
      told.run_id && !NOTHING.includes(told.status) && told.state !== 'failed' ? h(Rating, { told }) : null);
  }

  return { Trace, Below };
}
