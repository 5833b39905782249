/* The module-federation container that JupyterLab loads, written by hand: there is no build step.
   What it offers lies beside it as ES modules. React, the chat and the rest come from JupyterLab. */
(() => {
  const here = document.currentScript.src;
  const beside = name => new URL(name, here).href;
  let scope;

  const newest = versions =>
    Object.keys(versions)
      .sort((a, b) => a.localeCompare(b, undefined, { numeric: true }))
      .pop();

  /** A package out of JupyterLab's share scope; null where it is not installed. */
  async function shared(name) {
    const versions = scope[name];
    return versions ? (await versions[newest(versions)].get())() : null;
  }

  async function extension() {
    const { makePlugins } = await import(beside('plugins.js'));
    return { __esModule: true, default: await makePlugins(shared) };
  }

  async function style() {
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.href = beside('style.css');
    document.head.append(link);
    return {};
  }

  const modules = { './extension': extension, './style': style };
  (window._JUPYTERLAB = window._JUPYTERLAB || {})['@manyhands/lab'] = {
    init: given => {
      scope = given;
    },
    get: async name => {
      const loaded = await modules[name]();
      return () => loaded;
    }
  };
})();
