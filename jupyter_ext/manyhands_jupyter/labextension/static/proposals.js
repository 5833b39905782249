/* The cells that an answer proposes: insert, replace after a look at the difference, run. */

const LIMIT_S = 60;

export function makeProposals({ React, bridge, request }) {
  const h = React.createElement;
  const { useEffect, useState } = React;

  /** How long the cell has run, with a way to stop it. */
  function Running() {
    const [seconds, setSeconds] = useState(0);
    const progress = () => bridge().progress();
    useEffect(() => {
      const timer = setInterval(() => setSeconds(progress() ? progress().seconds() : 0), 250);
      return () => clearInterval(timer);
    }, []);
    return h('div', { className: 'mh-row' },
      h('span', { className: 'mh-quiet' }, seconds ? `It has run for ${seconds.toFixed(0)} s.` : 'It waits for the kernel.'),
      h('button', { className: 'mh-button', onClick: () => progress() && progress().interrupt() }, 'Interrupt'));
  }

  function Proposal({ source, number, runId }) {
    const [said, setSaid] = useState('');
    const [asking, setAsking] = useState(null);
    const [seconds, setSeconds] = useState(LIMIT_S);
    const [running, setRunning] = useState(false);

    const attempt = work => async () => {
      try {
        setSaid(await work());
      } catch (error) {
        setSaid(error.message);
      }
    };

    const insert = attempt(async () => {
      await bridge().insertCell({ source, where: 'below' });
      return 'Inserted below the active cell; undo takes it back.';
    });

    const askReplace = attempt(async () => {
      const cell = await bridge().activeCell();
      setAsking({ what: 'replace', cellId: cell.cellId, path: cell.path, expected: cell.source, lines: difference(cell.source, source) });
      return '';
    });

    /** The server says whether a person must be asked; what needs no question runs at once. After
     * a yes it runs where the question said, whichever notebook is in front by then. */
    const run = (choice = '') => attempt(async () => {
      const cell = choice ? asking.cell : await bridge().activeCell();
      setAsking(null);
      setSaid('');
      setRunning(true);
      try {
        const told = await request('cells', {
          run_id: runId, source, seconds, choice, cell: cell.cellId, path: cell.path, tab: bridge().tab
        });
        if (told.verdict !== 'ask') return outcome(told);
        setAsking({ what: 'run', cell, path: cell.path, why: told.why, session: told.session, lines: difference('', source) });
        return '';
      } finally {
        setRunning(false);
      }
    });

    const replace = attempt(async () => {
      const { cellId, path, expected } = asking;
      setAsking(null);
      await bridge().replaceCell({ cellId, path, source, expected });
      return 'Replaced; undo in the cell takes it back.';
    });

    const button = (label, onClick, more = {}) =>
      h('button', { className: 'mh-button', onClick, ...more }, label);

    return h(
      'div',
      { className: 'mh-proposal', role: 'group', 'aria-label': `Proposed cell ${number}` },
      h('div', { className: 'mh-row' },
        h('span', { className: 'mh-quiet' }, `Proposed cell ${number}: ${source.split('\n')[0].slice(0, 48)}`),
        button('Insert', insert),
        button('Replace…', askReplace),
        button('Run…', run(), { disabled: running })
      ),
      asking
        ? h('div', { className: 'mh-approval', role: 'group', 'aria-label': 'Confirm' },
            h('div', { role: 'alert' },
              asking.what === 'run'
                ? `Insert this cell into ${asking.path} and run it in your kernel?`
                : 'Replace the active cell?'),
            asking.why ? h('div', { className: 'mh-quiet' }, `Asked because ${asking.why}.`) : null,
            h('pre', { className: 'mh-preview' },
              asking.lines.map(([mark, line], at) =>
                h('div', { key: at, className: `mh-line-${mark === '+' ? 'new' : mark === '-' ? 'old' : 'same'}` }, `${mark} ${line}`))),
            asking.what === 'run'
              ? h('label', { className: 'mh-row mh-quiet' }, 'Interrupt it after',
                  h('input', {
                    className: 'mh-seconds', type: 'number', min: 1, value: seconds,
                    onChange: event => setSeconds(Math.max(1, Number(event.target.value) || LIMIT_S))
                  }), 'seconds')
              : null,
            h('div', { className: 'mh-row' },
              asking.what === 'run'
                ? button('Run once', run('once'), { className: 'mh-button mh-confirm' })
                : button('Replace', replace, { className: 'mh-button mh-confirm' }),
              asking.session ? button('Run cells in this session', run('session')) : null,
              button('Cancel', () => setAsking(null))))
        : null,
      running ? h(Running) : null,
      said ? h('div', { className: 'mh-quiet', role: 'status' }, said) : null
    );
  }

  return function Proposals({ cells, runId }) {
    return h('div', { className: 'mh-proposals' },
      cells.map((source, at) => h(Proposal, { key: `${at}:${source}`, source, number: at + 1, runId })));
  };
}

function outcome(told) {
  if (told.verdict === 'deny') return `Not run: ${told.why}.`;
  if (told.state !== 'done') return `It did not run: ${told.why}`;
  if (told.stopped) return `It began, and ${told.stopped}.`;
  if (!told.ok) return `It failed: ${told.error || 'the kernel did not run it.'}`;
  return `It ran in ${told.seconds.toFixed(1)} s; its output is in the notebook.`;
}

/** Lines that stay, go (-) and come (+), by their longest common subsequence. */
export function difference(before, after) {
  const a = before === '' ? [] : before.split('\n');
  const b = after.split('\n');
  const longest = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i][j] = a[i] === b[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const lines = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push([' ', a[i++]]);
      j++;
    } else if (i < a.length && (j === b.length || longest[i + 1][j] >= longest[i][j + 1])) {
      lines.push(['-', a[i++]]);
    } else {
      lines.push(['+', b[j++]]);
    }
  }
  return lines;
}
