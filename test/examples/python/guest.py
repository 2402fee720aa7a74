"""A guest's memory from Python, by cffi: memfold-ffi.h is read as it is installed, and nothing is compiled.

    $ /usr/bin/python3 guest.py $(pkg-config --variable=includedir memfold-jit)/memfold/memfold-ffi.h
"""

import sys

import cffi

ffi = cffi.FFI()
ffi.cdef(open(sys.argv[1], encoding="utf-8").read())
lib = ffi.dlopen("libmemfold-jit.so.0")  # which brings the runtime


class Error(Exception):
    """The host or an argument is at fault; a guest's fault is a value."""


def check_library():
    """The library is the header's: of one version, with structs of the same sizes."""
    if lib.mf_version() // 1000 != lib.MF_VERSION_NUMBER // 1000:
        raise ImportError(f"memfold is of version {lib.mf_version()}, the header of {lib.MF_VERSION_NUMBER}")
    for each in (lib.mf_abi_sizes(), lib.mf_jit_abi_sizes()):
        while each.name:
            name = ffi.string(each.name).decode()
            if ffi.sizeof(name) != each.bytes:
                raise ImportError(f"{name} has {each.bytes} bytes in the library, {ffi.sizeof(name)} in the header")
            each += 1


def attempt(function, *arguments):
    """Calls a function of C with an mf_diag behind its arguments; raises what it says."""
    diag = ffi.new("mf_diag *")
    if function(*arguments, diag) != lib.MF_OK:
        raise Error(ffi.string(diag.message).decode())


def made(kind, destroy, function, *arguments):
    """What a function writes through its last pointer, owned: it is destroyed when nothing refers to it."""
    out = ffi.new(f"{kind} **")
    attempt(function, *arguments, out)
    return ffi.gc(out[0], destroy)


def fault_text(fault):
    kind = "write-protected" if fault.kind == lib.MF_WRITE_PROTECTED else "page-fault"
    return f"{kind} 0x{fault.page:x}"


class Memory:
    """One guest: its bytes, and accessors for the layout that it has."""

    def __init__(self, regions, heap):
        builder = ffi.gc(lib.mf_layout_builder_create(), lib.mf_layout_builder_destroy)
        for start, size, access, content in regions:
            attempt(lib.mf_layout_builder_map_region, builder, start, size, access, content, len(content))
        attempt(lib.mf_layout_builder_set_heap, builder, *heap)
        layout, image = ffi.new("mf_layout **"), ffi.new("mf_image **")
        attempt(lib.mf_layout_builder_finish, builder, layout, image)
        self.memory = made("mf_memory", lib.mf_memory_destroy, lib.mf_memory_create, layout[0], image[0],
                           lib.MF_BACKEND_COPY)
        lib.mf_layout_release(layout[0])  # the memory keeps references of its own
        lib.mf_image_release(image[0])
        self.jit = made("mf_jit", lib.mf_jit_destroy, lib.mf_jit_create, ffi.NULL)
        self.code = made("mf_code", lib.mf_code_release, lib.mf_jit_get_for, self.jit, self.memory, ffi.NULL)
        self.accessors = lib.mf_code_accessors(self.code)
        self.view = lib.mf_memory_view(self.memory)

    def close(self):
        """In this order: code before the jit that has made it."""
        for owned in (self.code, self.jit, self.memory):
            ffi.release(owned)

    def read(self, address, count):
        """The bytes, or None after a fault."""
        content = ffi.new("char[]", count)
        return ffi.buffer(content)[:] if lib.mf_memory_read(self.memory, address, content, count) else None

    def load_u32(self, address):
        """The value, or None after a fault."""
        loaded = self.accessors.load_u32(self.view, address)
        return loaded.value if loaded.status == lib.MF_FAULT_NONE else None

    def store_u32(self, address, value):
        """Whether it was done."""
        return self.accessors.store_u32(self.view, address, value) == lib.MF_FAULT_NONE

    def sbrk(self, count):
        old_top = ffi.new("uint64_t *")
        attempt(lib.mf_memory_sbrk, self.memory, count, old_top)
        return old_top[0]

    def reset(self):
        attempt(lib.mf_memory_reset, self.memory)

    @property
    def fault(self):
        return self.view.fault


def main():
    check_library()
    guest = Memory([(0x10000, 0x1000, lib.MF_READ_ONLY, b"letters"), (0x20000, 0x1000, lib.MF_READ_WRITE, b"")],
                   heap=(0x21000, 1))
    print(guest.read(0x10000, 7).decode())
    print("stored", guest.store_u32(0x20000, 42), "loaded", guest.load_u32(0x20000))
    print("stored", guest.store_u32(0x10000, 42), fault_text(guest.fault))
    print("loaded", guest.load_u32(0x20FFE), fault_text(guest.fault))
    print(f"heap from 0x{guest.sbrk(100):x}, loaded", guest.load_u32(0x20FFE))
    try:
        guest.sbrk(4096)
    except Error as error:
        print(error)
    guest.reset()
    print("after reset", guest.load_u32(0x20000), "fault kind", guest.fault.kind, "read", guest.read(0x21000, 1))
    guest.close()


if __name__ == "__main__":
    main()
