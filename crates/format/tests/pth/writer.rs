//! Writes `.pth` files, whole or damaged as a test wants them: a ZIP archive, and the pickle in it.
//!
//! Nothing here checks anything: each number can be set to what a healthy file never has.

/// An entry of an archive. What is not set follows from the data.
#[derive(Clone, Default)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) data: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) len: Option<u64>,
    pub(crate) stored_len: Option<u64>,
    pub(crate) offset: Option<u64>,
    pub(crate) local_name: Option<String>,
    pub(crate) local_method: Option<u16>,
    /// Whether the directory has the lengths in a ZIP64 field.
    pub(crate) zip64: bool,
}

/// An archive before it is written.
#[derive(Clone, Default)]
pub(crate) struct Archive {
    pub(crate) entries: Vec<Entry>,
    /// Whether the end is a ZIP64 one.
    pub(crate) zip64: bool,
    pub(crate) comment: Vec<u8>,
    pub(crate) count: Option<u64>,
    pub(crate) directory_len: Option<u64>,
    pub(crate) directory_offset: Option<u64>,
    /// What the end proper says where a ZIP64 end says it too; all bits set if not given.
    pub(crate) short_count: Option<u16>,
    pub(crate) end64_offset: Option<u64>,
}

pub(crate) fn entry(name: &str, data: Vec<u8>) -> Entry {
    Entry { name: name.into(), data, ..Entry::default() }
}

impl Archive {
    pub(crate) fn entry(&mut self, name: &str) -> &mut Entry {
        let found = self.entries.iter_mut().find(|entry| entry.name.ends_with(name));
        found.unwrap_or_else(|| panic!("no entry {name}"))
    }

    /// As PyTorch does: data at multiples of 64, and a descriptor behind it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for entry in &self.entries {
            let offset = file.len() as u64;
            entry.write_local(&mut file);
            entry.write_directory(offset, &mut directory);
        }
        let offset = self.directory_offset.unwrap_or(file.len() as u64);
        let len = self.directory_len.unwrap_or(directory.len() as u64);
        let count = self.count.unwrap_or(self.entries.len() as u64);
        file.extend(&directory);
        if self.zip64 {
            let end64 = self.end64_offset.unwrap_or(file.len() as u64);
            file.extend(b"PK\x06\x06");
            file.extend(44u64.to_le_bytes());
            file.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            for number in [count, count, len, offset] {
                file.extend(number.to_le_bytes());
            }
            file.extend(b"PK\x06\x07\0\0\0\0");
            file.extend(end64.to_le_bytes());
            file.extend(1u32.to_le_bytes());
        }
        file.extend(b"PK\x05\x06\0\0\0\0");
        let short_count = if self.zip64 { self.short_count.unwrap_or(u16::MAX) } else { count as u16 };
        file.extend([short_count, short_count].map(u16::to_le_bytes).concat());
        for number in [len, offset] {
            let short = if self.zip64 { u32::MAX } else { number as u32 };
            file.extend(short.to_le_bytes());
        }
        file.extend((self.comment.len() as u16).to_le_bytes());
        file.extend(&self.comment);
        file
    }
}

impl Entry {
    fn write_local(&self, file: &mut Vec<u8>) {
        let name = self.local_name.as_ref().unwrap_or(&self.name);
        let unpadded = file.len() + 30 + name.len() + 4;
        let padding = unpadded.next_multiple_of(64) - unpadded;
        file.extend(b"PK\x03\x04");
        for number in [0, self.flags | 8, self.local_method.unwrap_or(self.method), 0, 0] {
            file.extend(number.to_le_bytes());
        }
        file.extend([0; 12]); // The descriptor has checksum and lengths.
        file.extend([name.len() as u16, 4 + padding as u16].map(u16::to_le_bytes).concat());
        file.extend(name.bytes());
        file.extend(b"FB");
        file.extend((padding as u16).to_le_bytes());
        file.extend(std::iter::repeat_n(b'Z', padding));
        file.extend(&self.data);
        file.extend(b"PK\x07\x08");
        file.extend([0; 12]);
    }

    fn write_directory(&self, offset: u64, directory: &mut Vec<u8>) {
        let len = self.len.unwrap_or(self.data.len() as u64);
        let numbers = [self.stored_len.unwrap_or(len), len, self.offset.unwrap_or(offset)];
        let short = |number: u64| if self.zip64 { u32::MAX } else { number as u32 };
        directory.extend(b"PK\x01\x02\0\0\0\0");
        for number in [self.flags | 8, self.method, 0, 0] {
            directory.extend(number.to_le_bytes());
        }
        directory.extend([0; 4]);
        directory.extend(short(numbers[0]).to_le_bytes());
        directory.extend(short(numbers[1]).to_le_bytes());
        // A field of another kind stands before the one that counts.
        let extra: Vec<u8> = match self.zip64 {
            true => {
                let fields = [numbers[1], numbers[0], numbers[2]].map(u64::to_le_bytes).concat();
                [b"UX\x02\0ab".as_slice(), &[1, 0, 24, 0], &fields].concat()
            }
            false => Vec::new(),
        };
        directory
            .extend([self.name.len() as u16, extra.len() as u16, 0, 0, 0].map(u16::to_le_bytes).concat());
        directory.extend([0; 4]);
        directory.extend(short(numbers[2]).to_le_bytes());
        directory.extend(self.name.bytes());
        directory.extend(extra);
    }
}

/// A tensor in a pickle, with a storage of its own.
#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) storage: &'static str,
    pub(crate) key: String,
    /// Numbers in the storage.
    pub(crate) len: i64,
    pub(crate) offset: i64,
    pub(crate) shape: Vec<i64>,
    pub(crate) stride: Vec<i64>,
}

impl Tensor {
    pub(crate) fn new(name: &str, storage: &'static str, key: usize, shape: &[usize]) -> Tensor {
        let strides = (0..shape.len()).map(|d| shape[d + 1..].iter().product::<usize>() as i64);
        Tensor {
            name: name.into(),
            storage,
            key: key.to_string(),
            len: shape.iter().product::<usize>() as i64,
            offset: 0,
            shape: shape.iter().map(|n| *n as i64).collect(),
            stride: strides.collect(),
        }
    }
}

/// The pickle of an OrderedDict with these tensors, memo and all, as `torch.save` writes it.
pub(crate) fn pickle(tensors: &[Tensor]) -> Vec<u8> {
    let mut code = Pickle::default();
    code.raw(b"\x80\x02ccollections\nOrderedDict\n").put().raw(b")R").put().raw(b"(");
    for tensor in tensors {
        code.string(&tensor.name).put();
        code.raw(b"ctorch._utils\n_rebuild_tensor_v2\n").put().raw(b"((");
        code.string("storage").put();
        code.raw(format!("ctorch\n{}\n", tensor.storage).as_bytes()).put();
        code.string(&tensor.key).put();
        code.string("cpu").put();
        code.integer(tensor.len).raw(b"t").put().raw(b"Q").integer(tensor.offset);
        code.integers(&tensor.shape).integers(&tensor.stride);
        code.raw(b"\x89ccollections\nOrderedDict\n").put().raw(b")R").put().raw(b"t").put().raw(b"R").put();
    }
    // An OrderedDict of PyTorch's has its versions as an attribute.
    code.raw(b"u}").put();
    code.string("_metadata").put();
    code.raw(b"}").put().raw(b"sb.");
    code.bytes
}

#[derive(Default)]
pub(crate) struct Pickle {
    pub(crate) bytes: Vec<u8>,
    memo: u32,
}

impl Pickle {
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Pickle {
        self.bytes.extend(bytes);
        self
    }

    pub(crate) fn put(&mut self) -> &mut Pickle {
        match u8::try_from(self.memo) {
            Ok(index) => self.bytes.extend([b'q', index]),
            Err(_) => {
                self.bytes.push(b'r');
                self.bytes.extend(self.memo.to_le_bytes());
            }
        }
        self.memo += 1;
        self
    }

    pub(crate) fn string(&mut self, text: &str) -> &mut Pickle {
        self.bytes.push(b'X');
        self.bytes.extend((text.len() as u32).to_le_bytes());
        self.raw(text.as_bytes())
    }

    pub(crate) fn integer(&mut self, number: i64) -> &mut Pickle {
        if let Ok(byte) = u8::try_from(number) {
            return self.raw(&[b'K', byte]);
        }
        if let Ok(short) = u16::try_from(number) {
            return self.raw(b"M").raw(&short.to_le_bytes());
        }
        if let Ok(word) = i32::try_from(number) {
            return self.raw(b"J").raw(&word.to_le_bytes());
        }
        self.raw(&[0x8a, 8]).raw(&number.to_le_bytes())
    }

    fn integers(&mut self, numbers: &[i64]) -> &mut Pickle {
        self.raw(b"(");
        for number in numbers {
            self.integer(*number);
        }
        self.raw(b"t").put()
    }
}
