/* What is told of the open notebook: the active cell and its neighbours, live and unsaved. */
import { describe } from './bridge.js';

const BEFORE = 4;
const AFTER = 2;
const FAILED = 2;

/** Looks at the notebook that the user was last in; `null` where none is open. */
export function makeLook(tracker) {
  function panelOf(path) {
    let found = null;
    if (tracker) {
      tracker.forEach(panel => {
        if (panel.context.path === path) found = panel;
      });
    }
    return found;
  }

  async function look() {
    const panel = tracker && tracker.currentWidget;
    if (!panel || !panel.content.model) return null;
    const widgets = panel.content.widgets;
    const active = panel.content.activeCellIndex;
    const first = Math.max(0, active - BEFORE);
    const cells = widgets
      .slice(first, active + AFTER + 1)
      .map((cell, offset) => describe(cell, first + offset));
    let failed = 0;
    for (let index = widgets.length - 1; index >= 0 && failed < FAILED; index--) {
      if (cells.some(cell => cell.index === index) || !hasError(widgets[index])) continue;
      cells.push(describe(widgets[index], index));
      failed++;
    }
    const kernel = panel.sessionContext.session && panel.sessionContext.session.kernel;
    return {
      path: panel.context.path,
      count: widgets.length,
      activeIndex: active,
      kernelId: kernel ? kernel.id : '',
      kernel: kernel ? `${kernel.name}, ${kernel.status}` : '',
      cells
    };
  }

  /** The cells of an attachment; empty where that notebook is not open. */
  async function cells({ path, ids }) {
    const panel = panelOf(path);
    if (!panel) return [];
    return panel.content.widgets
      .map((cell, index) => [cell, index])
      .filter(([cell]) => ids.includes(cell.model.id))
      .map(([cell, index]) => describe(cell, index));
  }

  return { look, cells };
}

function hasError(cell) {
  if (cell.model.type !== 'code') return false;
  for (let at = 0; at < cell.model.outputs.length; at++) {
    if (cell.model.outputs.get(at).type === 'error') return true;
  }
  return false;
}
