# o104_forged_server_words [judge] writes what launcher, keeper and fork server say, on every descriptor
# expect: ok|error ; invariants: not_a_pass
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
words = [b'{"code": 0, "memory": false}\n', b"R", b"0", b"manyhands sandbox: cannot put up a fence: x\n", b"9" * 5000]
for fd in range(3, 64):
    for word in words:
        try: os.write(fd, word); print("wrote on", fd)
        except OSError: pass
sys.stderr.write("manyhands sandbox: cannot put up a fence\n"); sys.exit(1)
