"""Writes a GGUF file anew with gguf-py: every matrix in the given type, all else as it is.

Arguments: the source, and pairs of a type (F32, Q4_0, Q4_1) and the file to write. Embeddings become Q8_0 where the
matrices are quantized, as `pronk convert` makes them where a row does not fill blocks of 256.
"""

import sys

from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFWriter, quants

OUTER = ("token_embd.weight", "output.weight")


def write(reader, dtype, path):
    architecture = reader.get_field("general.architecture").contents()
    writer = GGUFWriter(path, architecture)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value_type = field.types[0]
        element_type = field.types[-1] if len(field.types) > 1 else None
        writer.add_key_value(name, field.contents(), value_type, element_type)
    for tensor in reader.tensors:
        values = quants.dequantize(tensor.data, tensor.tensor_type)
        becomes = target(tensor.name, len(values.shape), dtype)
        writer.add_tensor(tensor.name, quants.quantize(values, becomes), raw_dtype=becomes)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def target(name, dimensions, dtype):
    if dimensions == 1 or dtype == Type.F32:
        return Type.F32
    return Type.Q8_0 if name in OUTER else dtype


source = GGUFReader(sys.argv[1])
for name, path in zip(sys.argv[2::2], sys.argv[3::2]):
    write(source, Type[name], path)
