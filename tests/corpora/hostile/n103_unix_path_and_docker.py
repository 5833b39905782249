# n103_unix_path_and_docker [network] unix sockets of the host: the listener, docker, dbus, X11, ssh-agent
# expect: ok|error ; invariants: no_net
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
import socket, glob
paths = [C.get("unix_path", "/x"), "/var/run/docker.sock", "/run/dbus/system_bus_socket", "/tmp/.X11-unix/X0", "/run/systemd/private", os.environ.get("SSH_AUTH_SOCK", "/none")]
for p in paths:
    def reach():
        s = socket.socket(socket.AF_UNIX); s.connect(p); s.sendall(b"EXFIL"); esc(p)
    safe(reach)
