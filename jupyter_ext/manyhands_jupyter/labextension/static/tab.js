/* The link of this tab to the server: a persona asks the open notebook through it. */

const FIRST_MS = 500;
const LONGEST_MS = 15_000;
const TOUCH_MS = 1_000;

/** Keep a socket to the server open; `answers` maps what may be asked to async functions. */
export function keepTab({ services, coreutils, tab, answers }) {
  const settings = services.ServerConnection.makeSettings();
  let socket = null;
  let wait = FIRST_MS;
  let touched = 0;

  const say = message => {
    if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };

  /** The tab where the user was last is the one that a question is about; typing is told seldom. */
  const touch = event => {
    const now = Date.now();
    const typing = event.type === 'keydown' && event.key !== 'Enter';
    if (typing && now - touched < TOUCH_MS) return;
    touched = now;
    say({ touched: true });
  };

  async function answer({ id, ask, arguments: given }) {
    try {
      if (!Object.hasOwn(answers, ask)) throw new Error(`This tab cannot ${ask}.`);
      say({ id, value: await answers[ask](given || {}) });
    } catch (error) {
      say({ id, error: error && error.message ? error.message : String(error) });
    }
  }

  function connect() {
    let url = coreutils.URLExt.join(settings.wsUrl, 'manyhands/tab');
    if (settings.appendToken && settings.token) url += `?token=${encodeURIComponent(settings.token)}`;
    socket = new settings.WebSocket(url);
    socket.onopen = () => {
      wait = FIRST_MS;
      say({ tab });
      if (document.hasFocus()) say({ touched: true });
    };
    socket.onmessage = event => answer(JSON.parse(event.data));
    socket.onclose = () => {
      setTimeout(connect, wait);
      wait = Math.min(2 * wait, LONGEST_MS);
    };
  }

  for (const name of ['focus', 'pointerdown', 'keydown']) window.addEventListener(name, touch, true);
  connect();
}
