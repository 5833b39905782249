# p116_clone_into [process] new namespaces by every door: clone3, clone, unshare, setns on /proc/*/ns
# expect: ok|error ; invariants: no_escape_text
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

def capable():
    for line in open("/proc/self/status"):
        if line.startswith("CapEff:") and int(line.split()[1], 16): return True
    return False
if capable(): esc("capabilities")
for flag in (0x10000000, 0x00020000, 0x20000000, 0x40000000, 0x02000000, 0x04000000, 0x08000000, 0x80):
    if call(272, 97, flag) == 0: esc(f"unshare {flag:x}")
    args = struct.pack("QQQQQQQQQQQ", flag, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
    if flag != 0x80:
        pid = call(435, 435, args, 88)
        if pid == 0: os._exit(0)
        if pid > 0: esc(f"clone3 {flag:x}")
        pid = call(56, 220, flag | 17, 0, 0, 0, 0)
        if pid == 0: os._exit(0)
        if pid > 0: esc(f"clone {flag:x}")
for who in ("self", "1", str(os.getppid())):
    for kind in ("user", "mnt", "pid", "net"):
        def enter():
            fd = os.open(f"/proc/{who}/ns/{kind}", os.O_RDONLY)
            if call(308, 268, fd, 0) == 0 and who != "self": esc(f"setns {who} {kind}")
        safe(enter)
safe(lambda: open("/proc/self/uid_map", "w").write("0 0 1"))
if capable(): esc("capabilities afterwards")
