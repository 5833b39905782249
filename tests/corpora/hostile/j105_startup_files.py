# j105_startup_files [warm] plants sitecustomize, usercustomize, .pth and LD_PRELOAD for the next interpreter
# expect: ok ; invariants: next_run_clean,no_marker
import ctypes, fcntl, json, os, signal, socket, struct, sys, time
C = json.load(open("_attack.json")) if os.path.exists("_attack.json") else {}
def esc(what): print("ESCAPED:" + what, flush=True)
def safe(f, *a, **k):
    try: return f(*a, **k)
    except BaseException as e: print("blocked:", type(e).__name__, str(e)[:120], flush=True); return None
l = ctypes.CDLL(None, use_errno=True)
x86 = os.uname().machine == "x86_64"
def call(n86, n64, *a):
    r = l.syscall(ctypes.c_long(n86 if x86 else n64), *a); print(n86, r, ctypes.get_errno(), flush=True); return r

import site, subprocess
mark = os.path.join(C.get("marker_dir", "/tmp"), "startup")
text = f"import os\ntry: open({mark!r}, 'w').write('x')\nexcept OSError: pass\n"
places = {*sys.path, site.getusersitepackages(), os.getcwd(), "/tmp", os.environ.get("HOME", "."),
          os.path.dirname(sys.executable), os.path.dirname(os.__file__)}
for place in places:
    for name in ("sitecustomize.py", "usercustomize.py", "aaa.pth", "json.py", "numpy.py", "math.py"):
        def plant():
            os.makedirs(place or ".", exist_ok=True)
            with open(os.path.join(place or ".", name), "w") as f:
                f.write(text.replace("\n", ";", 1) if name.endswith("pth") else text)
        safe(plant)
for key, value in (("PYTHONPATH", os.getcwd()), ("PYTHONSTARTUP", "sitecustomize.py"),
                   ("LD_PRELOAD", os.getcwd() + "/x.so"), ("LD_LIBRARY_PATH", os.getcwd()),
                   ("PYTHONHOME", os.getcwd())):
    os.environ[key] = value
safe(subprocess.run, [sys.executable, "-c", "pass"], timeout=2)
