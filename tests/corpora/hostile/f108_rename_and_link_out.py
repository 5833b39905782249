# f108_rename_and_link_out [filesystem] rename, link, exchange between scratch folder and outside
# expect: ok|error ; invariants: no_marker
import json, os, sys, time, ctypes
C = json.load(open("_attack.json")) if os.path.exists("_attack.json") else {}
def esc(what): print("ESCAPED:" + what, flush=True)
def safe(f, *a, **k):
    try: return f(*a, **k)
    except BaseException as e: print("blocked:", type(e).__name__, str(e)[:120], flush=True); return None
l = ctypes.CDLL(None, use_errno=True)
x86 = os.uname().machine == "x86_64"
def call(n86, n64, *a):
    r = l.syscall(ctypes.c_long(n86 if x86 else n64), *a); print(n86, r, ctypes.get_errno()); return r
marker = C.get("marker_dir", "/nowhere")
open("x", "w").write("evil")
safe(os.rename, "x", marker + "/x"); open("x", "w").write("evil"); safe(os.link, "x", marker + "/y")
safe(os.symlink, "x", marker + "/z"); safe(os.mkdir, marker + "/d"); safe(os.mkfifo, marker + "/f")
call(316, 276, -100, b"x", -100, (marker + "/x").encode(), 2)
safe(os.truncate, C.get("secret_file", "/x"), 0); safe(os.remove, C.get("secret_file", "/x"))
safe(os.rename, C.get("secret_file", "/x"), "stolen"); safe(os.link, C.get("secret_file", "/x"), "stolen2")
