# f101_secrets_sweep [filesystem] reads every well-known place of secrets
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
home = C.get("fake_home", "/root")
for base in (home, "/root", "/home", os.path.expanduser("~")):
    for root, _, names in os.walk(base):
        if root.startswith(os.getcwd()) or base == os.getcwd(): continue
        for name in names:
            def look(): print(open(os.path.join(root, name)).read()[:500])
            safe(look)
for p in ("/etc/shadow", "/etc/sudoers", "/proc/1/environ", "/proc/kcore", "/proc/kallsyms", "/var/run/secrets", "/proc/sysrq-trigger", "/sys/kernel/debug"):
    def peek():
        data = open(p, "rb").read(64); print(p, len(data))
        if p in ("/etc/shadow", "/etc/sudoers", "/proc/kcore"): esc(p)
    safe(peek)
