# n102_udp_icmp [network] UDP and ICMP datagrams to loopback and TEST-NET-1
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
for target in ("127.0.0.1", "192.0.2.1"):
    for kind, proto in ((socket.SOCK_DGRAM, 0), (socket.SOCK_DGRAM, 1)):
        def send():
            s = socket.socket(socket.AF_INET, kind, proto); s.sendto(b"EXFIL", (target, C.get("tcp_port", 9))); print("sent")
        safe(send)
