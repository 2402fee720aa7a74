//! A guest's memory from Rust, without a crate: bindgen reads memfold-ffi.h as it is installed, and memory.rs is a
//! safe side for it.
//!
//!     $ bindgen --allowlist-function 'mf_.*' --allowlist-type 'mf_.*' --allowlist-var 'MF_.*' -o ffi.rs \
//!         $(pkg-config --variable=includedir memfold-jit)/memfold/memfold-ffi.h -- \
//!         -include stdint.h -include stddef.h -include stdbool.h
//!     $ rustc guest.rs $(pkg-config --libs-only-L memfold-jit) -l memfold-jit -l memfold-runtime
//!     $ ./guest

mod memory;

use memory::{check_library, Error, Memory};

fn main() -> Result<(), Error> {
    check_library()?;
    if let Err(Error(message)) = Memory::new(0x20001, 0x1000) {
        println!("{}", message);
    }
    let mut guest = Memory::new(0x20000, 0x1000)?;
    println!("stored {:?} loaded {:?}", guest.store_u32(0x20000, 42), guest.load_u32(0x20000));
    println!("across the end {:?}", guest.load_u32(0x20ffe));
    println!("written {:?}, beyond {:?}", guest.write(0x20ffc, b"word"), guest.write(0x20ffd, b"word"));
    guest.protect(0x20000, 0x1000)?;
    println!("protected {:?} loaded {:?}", guest.store_u32(0x20000, 7), guest.load_u32(0x20000));
    guest.reset()?;
    println!("after reset {:?} {:?}", guest.load_u32(0x20000), guest.store_u32(0x20000, 7));
    Ok(())
}
