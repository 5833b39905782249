# f104_artifact_kinds [filesystem] artifacts that are FIFOs, sockets, devices, hard links, directories and links to secrets
# expect: ok|error ; invariants: no_secret
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
import socket
target = C.get("secret_file", os.path.expanduser("~/.ssh/id_rsa"))
safe(os.mkfifo, "fifo.png"); safe(os.mkfifo, "fifo.txt")
safe(os.symlink, target, "link.txt"); safe(os.symlink, os.path.dirname(target), "charts")
safe(os.link, target, "hard.txt"); safe(os.mknod, "dev.txt", 0o60600, os.makedev(8, 0)); safe(os.mkdir, "dir.txt")
def s(): k = socket.socket(socket.AF_UNIX); k.bind("sock.txt")
safe(s)
safe(os.symlink, "loop.txt", "loop.txt"); safe(os.symlink, "/dev/zero", "zero.txt"); safe(os.symlink, "/proc/self/environ", "env.txt")
