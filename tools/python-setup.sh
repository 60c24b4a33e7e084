#!/bin/sh
# Makes .venv at the repository root: the Python oracles (torch, Hugging Face transformers, TensorBoard) that tests and golden
# generators compare with. Idempotent and non-interactive; a second call returns at once. Nothing at run time needs it.
#
# torch comes from Debian (1.13, CPU only, small) because PyPI's brings gigabytes of CUDA. 4.45 is the newest transformers of
# which everything runs with it (from 4.46 on `generate` does not, from 4.48 on neither do optimizers, from 4.50 on no model).
# numpy stays Debian's, which that torch was built against. OpenBLAS takes the place of the reference BLAS, which is 20 times slower.
set -eu
cd "$(dirname "$0")/.."

packages='python3-torch python3-numpy python3-venv libopenblas0-pthread'
pins='transformers==4.45.2 tokenizers==0.20.3 safetensors==0.5.3 huggingface-hub==0.30.2 gguf==0.17.1 sentencepiece==0.2.0 jinja2==3.1.6 sacrebleu==2.4.3 rouge-score==0.1.2 tensorboard==2.19.0 protobuf==5.29.5 setuptools<81 numpy==1.24.2'
python=/usr/bin/python3
stamp=.venv/.sinter-pins

say() { echo "python-setup: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
ready() { [ -x "$python" ] && "$python" -c 'import ensurepip, numpy, venv; from importlib.util import find_spec as f; exit(not f("torch"))' 2>/dev/null; }

if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$pins" ] &&
  .venv/bin/python -c 'from importlib.util import find_spec as f; exit(not all(map(f, ["torch", "transformers", "gguf", "sentencepiece", "rouge_score", "tensorboard"])))' 2>/dev/null; then
  say '.venv is up to date'
  exit 0
fi

if ! ready; then
  if ! has apt-get; then
    say "needs $packages (Debian 12 or alike), and there is no apt-get here; tests that need Python will be skipped"
    exit 1
  elif [ "$(id -u)" = 0 ]; then root=''
  elif has sudo && sudo -n true 2>/dev/null; then root='sudo -n'
  else
    say "needs root to install packages; run 'sudo apt-get install $packages' and call this again; tests that need Python will be skipped"
    exit 1
  fi
  say "installing $packages"
  apt="$root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -qq"
  $apt update
  # shellcheck disable=SC2086 # a list of words
  $apt install -y --no-install-recommends $packages >/dev/null
  ready || { say "installed $packages, but $python cannot import them"; exit 1; }
fi

say 'making .venv'
"$python" -m venv --clear --system-site-packages .venv
# shellcheck disable=SC2086
.venv/bin/python -m pip install --quiet --disable-pip-version-check $pins
# A package that imports is not yet one that works: run a model once before saying so.
OMP_WAIT_POLICY=passive .venv/bin/python - <<'PYTHON'
import torch, tensorboard
from transformers import BertConfig, BertModel
config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
assert BertModel(config)(torch.ones(1, 3, dtype=torch.long)).last_hidden_state.shape == (1, 3, 8)
PYTHON
echo "$pins" > "$stamp"
say '.venv is ready'
