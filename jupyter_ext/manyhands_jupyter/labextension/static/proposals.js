/* The cells that an answer proposes: insert, replace after a look at the difference, run. */

export function makeProposals({ React, bridge }) {
  const h = React.createElement;
  const { useState } = React;

  function Proposal({ source, number }) {
    const [said, setSaid] = useState('');
    const [asking, setAsking] = useState(null);

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
      setAsking({ what: 'replace', cellId: cell.cellId, lines: difference(cell.source, source) });
      return '';
    });

    const askRun = attempt(async () => {
      const cell = await bridge().activeCell();
      setAsking({ what: 'run', path: cell.path, lines: difference('', source) });
      return '';
    });

    const confirm = attempt(async () => {
      const wanted = asking;
      setAsking(null);
      if (wanted.what === 'replace') {
        await bridge().replaceCell({ cellId: wanted.cellId, source });
        return 'Replaced; undo in the cell takes it back.';
      }
      const made = await bridge().insertCell({ source, where: 'below' });
      setSaid('Running …');
      const ran = await bridge().runCell({ cellId: made.cellId });
      return ran.ok ? 'It ran; its output is in the notebook.' : `It failed: ${failure(ran)}`;
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
        button('Run…', askRun)
      ),
      asking
        ? h('div', { className: 'mh-approval', role: 'group', 'aria-label': 'Confirm' },
            h('div', { role: 'alert' },
              asking.what === 'run'
                ? `Insert this cell into ${asking.path} and run it in your kernel?`
                : 'Replace the active cell?'),
            h('pre', { className: 'mh-preview' },
              asking.lines.map(([mark, line], at) =>
                h('div', { key: at, className: `mh-line-${mark === '+' ? 'new' : mark === '-' ? 'old' : 'same'}` }, `${mark} ${line}`))),
            h('div', { className: 'mh-row' },
              button(asking.what === 'run' ? 'Run once' : 'Replace', confirm, { className: 'mh-button mh-confirm' }),
              button('Cancel', () => setAsking(null))))
        : null,
      said ? h('div', { className: 'mh-quiet', role: 'status' }, said) : null
    );
  }

  return function Proposals({ cells }) {
    return h('div', { className: 'mh-proposals' },
      cells.map((source, at) => h(Proposal, { key: `${at}:${source}`, source, number: at + 1 })));
  };
}

function failure(ran) {
  const error = ran.outputs.find(item => item.type === 'error');
  return error ? `${error.name}: ${error.value}` : 'the kernel did not run it.';
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
