# n105_mptcp_sctp [network] MPTCP and SCTP, which Landlock's TCP rules do not see
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
import socket
for proto in (262, 132, 136):
    def go():
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, proto); s.settimeout(1); s.connect(("127.0.0.1", C.get("tcp_port", 1))); esc(f"protocol {proto}")
    safe(go)
