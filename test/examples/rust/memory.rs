//! The safe side of memfold: memories are owned and dropped, errors are a Result, and a guest's fault is a value.

mod ffi {
    #![allow(non_camel_case_types, non_upper_case_globals, non_snake_case, dead_code)]
    include!("ffi.rs");
}

use std::ffi::CStr;
use std::mem::{size_of, MaybeUninit};
use std::ptr::{null, null_mut, NonNull};

/// The host or an argument is at fault.
#[derive(Debug)]
pub struct Error(pub String);

/// Which page the guest could not touch, and why.
#[derive(Debug, PartialEq)]
pub enum Fault {
    Page(u64),
    WriteProtected(u64),
}

/// Calls a function of C with an mf_diag.
fn attempt(call: impl FnOnce(*mut ffi::mf_diag) -> ffi::mf_status) -> Result<(), Error> {
    let mut diag = MaybeUninit::<ffi::mf_diag>::uninit();
    if call(diag.as_mut_ptr()) == ffi::mf_status_MF_OK {
        return Ok(());
    }
    // A function that fails has written it.
    let message = unsafe { CStr::from_ptr((*diag.as_ptr()).message.as_ptr()) };
    Err(Error(message.to_string_lossy().into_owned()))
}

/// The library is the header's: of one version, with structs of the same sizes.
pub fn check_library() -> Result<(), Error> {
    let known = [
        ("mf_accessors", size_of::<ffi::mf_accessors>()),
        ("mf_diag", size_of::<ffi::mf_diag>()),
        ("mf_fault", size_of::<ffi::mf_fault>()),
        ("mf_load_result", size_of::<ffi::mf_load_result>()),
        ("mf_view", size_of::<ffi::mf_view>()),
    ];
    unsafe {
        if ffi::mf_version() / 1000 != ffi::MF_VERSION_NUMBER / 1000 {
            return Err(Error(format!("memfold is of version {}", ffi::mf_version())));
        }
        let mut each = ffi::mf_abi_sizes();
        while !(*each).name.is_null() {
            let name = CStr::from_ptr((*each).name).to_str().unwrap_or("?");
            if known.iter().any(|k| k.0 == name && k.1 as u64 != (*each).bytes as u64) {
                return Err(Error(format!("{} has {} bytes in the library", name, (*each).bytes)));
            }
            each = each.add(1);
        }
    }
    Ok(())
}

/// One guest: its bytes, and accessors for the layout that it has. One thread at a time uses it, which `&mut` says.
pub struct Memory {
    memory: NonNull<ffi::mf_memory>,
    jit: *mut ffi::mf_jit,
    code: *mut ffi::mf_code,
}

impl Memory {
    /// Read-write pages of zeros from `start` on; their layout is what a reset brings back.
    pub fn new(start: u64, size: u64) -> Result<Memory, Error> {
        let (mut layout, mut memory) = (null_mut(), null_mut());
        unsafe {
            let builder = ffi::mf_layout_builder_create();
            let done = attempt(|diag| match builder.is_null() {
                true => ffi::mf_diag_set(diag, ffi::mf_status_MF_OUT_OF_MEMORY, 0, b"no memory\0".as_ptr().cast()),
                _ => ffi::mf_layout_builder_map_region(
                    builder, start, size, ffi::mf_access_MF_READ_WRITE, null(), 0, diag),
            })
            .and_then(|_| attempt(|diag| ffi::mf_layout_builder_finish(builder, &mut layout, null_mut(), diag)))
            .and_then(|_| attempt(|diag| {
                ffi::mf_memory_create(layout, null(), ffi::mf_backend_MF_BACKEND_COPY, &mut memory, diag)
            }));
            ffi::mf_layout_release(layout); // the memory keeps a reference of its own
            ffi::mf_layout_builder_destroy(builder);
            done?;
            let mut made = Memory { memory: NonNull::new_unchecked(memory), jit: null_mut(), code: null_mut() };
            attempt(|diag| ffi::mf_jit_create(null(), &mut made.jit, diag))?; // dropped if this fails
            attempt(|diag| ffi::mf_jit_get_for(made.jit, memory, null(), &mut made.code, diag))?;
            Ok(made)
        }
    }

    fn view(&self) -> *mut ffi::mf_view {
        unsafe { ffi::mf_memory_view(self.memory.as_ptr()) }
    }

    fn fault(&self) -> Fault {
        let fault = unsafe { (*self.view()).fault };
        match fault.kind {
            ffi::mf_fault_kind_MF_WRITE_PROTECTED => Fault::WriteProtected(fault.page),
            _ => Fault::Page(fault.page),
        }
    }

    pub fn load_u32(&mut self, address: u32) -> Result<u32, Fault> {
        // A set has all accessors, so none of the pointers is null.
        let load = unsafe { (*ffi::mf_code_accessors(self.code)).load_u32.unwrap() };
        let loaded = unsafe { load(self.view(), address) };
        if loaded.status == 0 { Ok(loaded.value as u32) } else { Err(self.fault()) }
    }

    pub fn store_u32(&mut self, address: u32, value: u32) -> Result<(), Fault> {
        let store = unsafe { (*ffi::mf_code_accessors(self.code)).store_u32.unwrap() };
        let status = unsafe { store(self.view(), address, value.into()) };
        if status == 0 { Ok(()) } else { Err(self.fault()) }
    }

    pub fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Fault> {
        let (from, count) = (bytes.as_ptr().cast(), bytes.len() as _);
        let done = unsafe { ffi::mf_memory_write(self.memory.as_ptr(), address, from, count) };
        if done { Ok(()) } else { Err(self.fault()) }
    }

    /// Another permission is another layout, with accessors of its own.
    pub fn protect(&mut self, start: u64, size: u64) -> Result<(), Error> {
        let memory = self.memory.as_ptr();
        attempt(|diag| unsafe { ffi::mf_memory_protect(memory, start, size, ffi::mf_perm_MF_PERM_RO, diag) })?;
        self.renew()
    }

    pub fn reset(&mut self) -> Result<(), Error> {
        attempt(|diag| unsafe { ffi::mf_memory_reset(self.memory.as_ptr(), diag) })?;
        self.renew()
    }

    fn renew(&mut self) -> Result<(), Error> {
        let mut code = null_mut();
        attempt(|diag| unsafe { ffi::mf_jit_get_for(self.jit, self.memory.as_ptr(), null(), &mut code, diag) })?;
        unsafe { ffi::mf_code_release(std::mem::replace(&mut self.code, code)) };
        Ok(())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        unsafe {
            ffi::mf_code_release(self.code);
            ffi::mf_jit_destroy(self.jit);
            ffi::mf_memory_destroy(self.memory.as_ptr());
        }
    }
}
