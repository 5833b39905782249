# n107_passed_descriptors [network] sockets that are there already: descriptors 0 to 2, pairs, SCM_RIGHTS, abstract names
# expect: ok|error ; invariants: no_net
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

for fd in (0, 1, 2):
    def peer():
        s = socket.socket(fileno=os.dup(fd))
        print("socket", fd, s.family, s.getpeername() if s.family != socket.AF_UNIX else "unix")
        if s.family in (socket.AF_INET, socket.AF_INET6): esc("a network socket")
    safe(peer)
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    for name in ("\0" + C.get("abstract", "x"), C.get("unix_path", "/run/x.sock"), "/run/user/0/bus", "/var/run/docker.sock", "\0/tmp/.X11-unix/X0"):
        def reach():
            s = socket.socket(socket.AF_UNIX, kind); s.connect(name); esc(f"reached {name!r}")
        safe(reach)
def through():
    a, b = socket.socketpair()
    socket.send_fds(a, [b"x"], [0, 1, 2]); print(socket.recv_fds(b, 1, 9))
safe(through)
def fast():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"x", ("127.0.0.1", int(C.get("tcp_port", 9))))
    esc("a datagram left")
safe(fast)
