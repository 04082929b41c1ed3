// Runs in a worker of the page: loads the model, answers, and says when there is a token.

import { AutoModelForCausalLM, AutoTokenizer, env } from "/transformers/transformers.min.js";

const MODEL = "model";
let tokenizer;
let model;

onmessage = async ({ data }) => {
  try {
    if (data.load) await load(data.load);
    if (data.ask) await answer(data.ask);
  } catch (error) {
    postMessage({ failed: String(error?.message ?? error) });
  }
};

async function load({ weights, threads, gpu, build }) {
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = "/models/";
  const file = (ending) => new URL(`/ort/${build}.${ending}`, location.href).href;
  env.backends.onnx.wasm.wasmPaths = { mjs: file("mjs"), wasm: file("wasm") };
  env.backends.onnx.wasm.numThreads = threads;
  tokenizer = await AutoTokenizer.from_pretrained(MODEL);
  const options = { device: gpu ? "webgpu" : "wasm", dtype: "fp32", model_file_name: weights };
  // The file's own bits count; `fp32` only keeps its name as it is.
  model = await AutoModelForCausalLM.from_pretrained(MODEL, options);
  postMessage({ loaded: true });
}

async function answer({ messages, tokens }) {
  const prompt = tokenizer.apply_chat_template(messages, { add_generation_prompt: true, return_dict: true });
  const prompt_tokens = prompt.input_ids.dims[1];
  let puts = 0;
  // The prompt is what it is given first.
  const streamer = { put: () => { if (puts++ > 0) postMessage({ token: true }); }, end() {} };
  const ids = await model.generate({ ...prompt, do_sample: false, max_new_tokens: tokens, streamer });
  const [text] = tokenizer.batch_decode(ids.slice(null, [prompt_tokens, null]), { skip_special_tokens: true });
  postMessage({ answer: { prompt_tokens, text } });
}
