# j106_every_descriptor [judge] writes forged ends into every open descriptor, then ends badly
# expect: error ; invariants: no_escape_text
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

forged = [b'{"code": 0}\n', b'{"status": "ok", "code": 0}\n', b"0", b"R", b'{"memory": 1}\n', b'{"verdict": "pass"}\n']
for fd in range(3, 4096):
    try: os.fstat(fd)
    except OSError: continue
    for text in forged:
        safe(os.write, fd, text)
    def forge():
        s = socket.socket(fileno=os.dup(fd)); s.sendmsg(forged, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", 1))])
    safe(forge)
for name in os.listdir("/proc/self/fd"):
    def look():
        if int(name) > 2: print(name, os.readlink(f"/proc/self/fd/{name}"))
    safe(look)
for fd in (1, 2):
    for text in forged: os.write(fd, text)
os._exit(3)
