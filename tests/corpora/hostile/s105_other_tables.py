# s105_other_tables [syscall] 32-bit and x32 system calls, personality, modify_ldt, iopl
# expect: ok|error|signal ; invariants: no_escape_text
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
if l.personality(0x0008) >= 0: esc("personality PER_LINUX32")
if l.personality(0x0040000) >= 0: esc("personality ADDR_NO_RANDOMIZE")
if x86:
    if call(0x40000000 + 41, 0, 2, 1, 0) >= 0: esc("x32 socket")
    if call(154, 0, 0, 0, 0) >= 0: esc("modify_ldt")
    if call(172, 0, 3) == 0: esc("iopl")
    import mmap
    m = mmap.mmap(-1, 4096, prot=7)
    # mov eax, 20 (getpid of the 32-bit table); int 0x80; ret
    m.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
    if f() > 0: esc("int 0x80 works")
