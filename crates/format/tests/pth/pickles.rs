//! Pickles that are none of a dictionary of tensors: other people's code, bombs, and damage.

use crate::writer::*;
use crate::{archive_of, check_error, tensors};

#[track_caller]
fn check(code: &[u8], expected: &str) {
    check_error(&archive_of(code.into()).bytes(), expected);
}

/// Whatever a pickle names is refused before it is called.
#[test]
fn other_code() {
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("__builtin__", "exec"),
        ("torch", "load"),
        ("torch", "DoubleStorage"),
        ("torch", "_utils._rebuild_tensor_v2"),
        ("torch._utils", "_rebuild_parameter"),
        ("collections", "OrderedDict.fromkeys"),
        ("Collections", "OrderedDict"),
        ("\u{202e}", ""),
    ] {
        let code = format!("\u{80}\u{2}c{module}\n{name}\n(X\u{2}\0\0\0lstR.");
        let code: Vec<u8> = [b"\x80\x02".as_slice(), &code.as_bytes()[3..]].concat();
        let shown = format!("{:?}", format!("{module}.{name}"));
        check(
            &code,
            &format!(
                "The Python object {shown} in this .pth file is not supported; Pronk runs no code of a model's"
            ),
        );
    }
    let long = format!("c{}\nx\n.", "a".repeat(10_000));
    check(long.as_bytes(), "more bytes in this .pth file is not supported");
}

#[test]
fn instructions() {
    let rows: [(&[u8], &str); 34] = [
        (b"", "the end: expected STOP, found the end of the file."),
        (b"\x80\x04.", "byte 0: expected a pickle of protocol 2, as PyTorch writes, found 4."),
        (b".", "byte 1: expected a dictionary of tensors, found nothing."),
        (b"K\x05.", "byte 3: expected a dictionary of tensors, found a number."),
        (b"X\xff\xff\xff\xff", "the end: expected STOP, found the end of the file."),
        (b"X\x01\0\0\0\xff.", "byte 0: expected UTF-8, found other bytes."),
        (b"cos", "the end: expected STOP"),
        (b"c\xff\n\n", "byte 1: expected UTF-8, found other bytes."),
        (b"t.", "byte 0: expected a mark on the stack, found none."),
        (b"u.", "byte 0: expected a mark on the stack, found none."),
        (b"(u.", "byte 1: expected a dictionary to put items into, found none."),
        (b"}(K\x01u.", "byte 4: expected keys and values, found one more."),
        (b"K\x01K\x02K\x03s.", "byte 6: expected a dictionary to put items into, found none."),
        (b"\x85.", "byte 0: expected 1 values on the stack, found 0."),
        (b"K\x01(\x85.", "byte 3: expected 1 values on the stack, found 0."),
        (b"R.", "byte 0: expected 2 values on the stack, found 0."),
        (b"ccollections\nOrderedDict\n.", "byte 26: expected a dictionary of tensors, found a class."),
        (
            b"ccollections\nOrderedDict\nK\x01\x85R.",
            "expected a call that makes a dictionary or a tensor, found a class, a tuple.",
        ),
        (
            b"ctorch\nFloatStorage\n)R.",
            "expected a call that makes a dictionary or a tensor, found a class, a tuple.",
        ),
        (b"N)R.", "expected a call that makes a dictionary or a tensor, found None, a tuple."),
        (
            b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
            "expected storage, offset, shape and stride of a tensor, found nothing.",
        ),
        (b"ctorch._utils\n_rebuild_tensor_v2\nNNN\x87R.", "found None, None, None."),
        (b"Q.", "byte 0: expected 1 values on the stack, found 0."),
        (b"NQ.", "byte 1: expected the description of a storage, found None."),
        (b"(X\x07\0\0\0storageNNNNtQ.", "expected the description of a storage, found a tuple."),
        (b"}Nb.", "byte 2: expected attributes of a dictionary, found a dictionary, None."),
        (b"NN\x86}b.", "expected attributes of a dictionary, found a tuple, a dictionary."),
        (b"q\0.", "byte 0: expected a value for the memo, found none."),
        (b"h\x07.", "byte 0: expected a value in the memo, found none at 7."),
        (b"j\xff\xff\xff\xff.", "byte 0: expected a value in the memo, found none at 4294967295."),
        (b"\x8a\x09\0\0\0\0\0\0\0\0\0.", "byte 0: expected an integer of at most 8 bytes, found 9."),
        (b"I5\n.", "byte 0: expected an instruction that a dictionary of tensors takes, found \"I\"."),
        // Nested classes by name, which protocol 4 has.
        (b"\x93.", "expected an instruction that a dictionary of tensors takes, found \"\\u{93}\"."),
        (b"\x81.", "expected an instruction that a dictionary of tensors takes, found \"\\u{81}\"."),
    ];
    for (code, expected) in rows {
        check(code, expected);
    }
}

#[test]
fn bombs() {
    let endless = "expected a stack and a memo of bearable size, found an endless one.";
    check(&b"N".repeat(1 << 20), endless);
    check(&b"(".repeat(1 << 20), endless);
    let memo: Vec<u8> =
        (0..1u32 << 18).flat_map(|index| [b"r".as_slice(), &index.to_le_bytes()].concat()).collect();
    check(&[b"N".as_slice(), &memo].concat(), endless);
    check(&[b")".as_slice(), &b"\x85".repeat(1 << 20)].concat(), "expected tuples at most 8 deep, found 9.");
    // Each tuple of two copies of the last: 2^7 if they were copies, and refused at the ninth.
    let doubling = b"q\0h\0\x86".repeat(1000);
    check(&[b")".as_slice(), &doubling].concat(), "expected tuples at most 8 deep, found 9.");
    // A dictionary that holds itself is dropped all the same.
    check(b"}q\0X\x01\0\0\0ah\0s.", "data.pkl: a: expected a tensor, found a dictionary.");
    // Strings that the memo has and that are pushed again and again share their bytes.
    let long = Pickle::default().string(&"x".repeat(1 << 20)).put().bytes.clone();
    check(
        &[long, b"h\0".repeat(1 << 15), b".".into()].concat(),
        "expected a dictionary of tensors, found a string.",
    );
}

#[test]
fn tensors_that_do_not_fit() {
    type Change = fn(&mut Vec<Tensor>);
    let rows: [(&str, Change); 15] = [
        ("first: expected an entry of the archive with its bytes, found none called \"7\".", |t| {
            t[0].key = "7".into()
        }),
        ("first: expected an entry of the archive with its bytes, found none called \"../0\".", |t| {
            t[0].key = "../0".into()
        }),
        ("first: expected 1201 numbers of BF16 in its entry, found 2400 bytes.", |t| t[0].len = 1201),
        ("first: expected 600 numbers of BF16 in its entry, found 2400 bytes.", |t| t[0].len = 600),
        ("first: expected 9223372036854775807 numbers of BF16 in its entry", |t| t[0].len = i64::MAX),
        ("expected the description of a storage", |t| t[0].len = -1),
        ("first: expected numbers inside of its 2400 bytes, found shape [4, 300] from 1 on.", |t| {
            t[0].offset = 1
        }),
        (
            "first: expected numbers inside of its 2400 bytes, found shape [4, 300] from 9223372036854775807 on.",
            |t| t[0].offset = i64::MAX,
        ),
        ("expected storage, offset, shape and stride of a tensor", |t| t[0].offset = -1),
        ("expected storage, offset, shape and stride of a tensor", |t| t[0].shape = vec![4, -300]),
        ("expected storage, offset, shape and stride of a tensor", |t| t[0].shape = vec![1; 9]),
        ("first: expected numbers inside of its 2400 bytes, found shape [4294967296, 4294967296]", |t| {
            t[0].shape = vec![1 << 32, 1 << 32]
        }),
        (
            "first: expected rows that lie one behind the other, as shape [300, 4] has it, found strides [1, 300].",
            |t| {
                (t[0].shape, t[0].stride) = (vec![300, 4], vec![1, 300]);
            },
        ),
        (
            "first: expected rows that lie one behind the other, as shape [4, 300] has it, found strides [300].",
            |t| {
                t[0].stride = vec![300];
            },
        ),
        ("second: expected a new name, found the name of another tensor.", |t| {
            t[0].name = "second".into();
        }),
    ];
    for (expected, change) in rows {
        let mut tensors = tensors();
        change(&mut tensors);
        check(&pickle(&tensors), expected);
    }
    check(b"}K\x01K\x01s.", "data.pkl: key of a tensor: expected a string, found a number.");
    check(b"}X\x01\0\0\0aK\x01s.", "data.pkl: a: expected a tensor, found a number.");
}
