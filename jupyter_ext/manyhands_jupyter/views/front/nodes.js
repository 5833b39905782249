/* What the panel is made of. Everything that a model wrote goes in as text (textContent), never as HTML. */

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

/** What has the focus is not the notebook's: there Enter would edit the cell, and x cut it. */
function own(node) {
  node.dataset.lmSuppressShortcuts = 'true';
  return node;
}

/** @param key finds the button again after it was drawn anew. */
function button(text, act, label, key) {
  const node = own(make('button', '', text));
  node.type = 'button';
  if (label) node.setAttribute('aria-label', label);
  node.dataset.key = key || label || text;
  node.addEventListener('click', act);
  return node;
}

/** Put other nodes in; who was on a button there is on the same button again. */
function swap(parent, nodes) {
  const at = parent.contains(document.activeElement) ? document.activeElement.dataset.key : '';
  parent.replaceChildren(...nodes);
  const again = at && [...parent.querySelectorAll('button')].find(one => one.dataset.key === at);
  if (again) again.focus({ preventScroll: true });
}

/** A thumb, drawn here: not every machine has a font with emoji. */
function thumb(up) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  if (!up) svg.style.transform = 'rotate(180deg)';
  const path = document.createElementNS(svg.namespaceURI, 'path');
  path.setAttribute('d', 'M7 10v11H3V10h4zm3 11h7.5a2 2 0 0 0 1.9-1.5l1.5-6.5a2 2 0 0 0-2-2.5H14l1-5a2 2 0 0 0-3.7-1.2L9 10v9.5A1.5 1.5 0 0 0 10 21z');
  svg.append(path);
  return svg;
}

/** `code`, formulas and **bold**. A dollar before a space or a digit after the second one is money. */
const INLINE = /(`[^`]+`|\$\$[^$]+\$\$|\\\((?:(?!\\[()]).)+\\\)|\\\[(?:(?!\\[\[\]]).)+\\\]|(?<!\\)\$(?![\s$])[^$`]*[^\s$`\\]\$(?![\d$])|\*\*[^*]+\*\*)/;
const FORMULA = /^(\$|\\\(|\\\[)/;

/** A line's code, formulas and bold text as nodes; the rest stays as it is. */
function inline(parent, text) {
  for (const part of text.split(INLINE)) {
    if (/^`[^`]+`$/.test(part)) parent.append(make('code', '', part.slice(1, -1)));
    else if (FORMULA.test(part)) parent.append(make('span', 'mh-formula', part));
    else if (/^\*\*[^*]+\*\*$/.test(part)) parent.append(make('strong', '', part.slice(2, -2)));
    else if (part) parent.append(part.replaceAll('\\$', '$'));
  }
  return parent;
}

/** Has JupyterLab set the formulas, where our lab extension is; else they stay as they are written. */
function typeset(root) {
  const lab = window.manyhandsLab;
  if (lab && lab.typeset) root.querySelectorAll('.mh-formula').forEach(node => lab.typeset(node));
}

/** Paragraphs, lists, headings and fenced code; links and pictures stay text: nothing is loaded.
 * A program that is also proposed as a cell is not shown twice. */
function prose(text, proposed = []) {
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
      const shown = proposed.includes(code.join('\n').trimEnd());
      root.append(shown ? make('p', 'mh-quiet', 'The program is in the proposed cell below.') : make('pre', '', code.join('\n')));
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
