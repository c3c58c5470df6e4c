#!/usr/bin/env bash
# A small Llama from its tokenizer to a program of others: see README.md.
# usage: run.sh OUT [STEPS]; GRADIENTCOIN names the program, CONFIG another model
set -euo pipefail
if (($# < 1 || $# > 2)); then
    printf 'usage: %s OUT [STEPS]\n' "$0" >&2
    exit 2
fi
out=$1 steps=${2-600}
if ! [[ $steps =~ ^[0-9]+$ ]] || ((steps < 20)); then
    printf '%s: STEPS is a number of 20 or more\n' "$0" >&2
    exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
corpus=$root/fixtures/corpus/stories.txt
config=${CONFIG-$here/config.json}
program=${GRADIENTCOIN-$root/target/release/gradientcoin}
for file in "$config" "$program"; do
    if [[ ! -f $file ]]; then
        printf '%s: no file %s\n' "$0" "$file" >&2
        exit 2
    fi
done
config=$(realpath "$config") program=$(realpath "$program")
mkdir "$out"
cd "$out"

gradientcoin() {
    printf '\n$ gradientcoin %s\n' "$*"
    "$program" "$@"
}

# The stories alone are no more than 476 tokens: with these their words are whole.
cat "$corpus" "$root/LICENSE-APACHE" >text.txt
gradientcoin train-tokenizer --corpus text.txt --vocab 512 --out tokenizer.json
gradientcoin init --config "$config" --tokenizer tokenizer.json --seed 1 --out model

gradientcoin train --model model --corpus "$corpus" --held-out 0.05 --eval-every $((steps / 10)) \
    --steps "$steps" --batch 8 --optimizer adamw --lr 0.003 --beta2 0.99 --weight-decay 0.1 --clip 1 \
    --schedule cosine --warmup $((steps / 20)) --floor 0.1 --out trained
gradientcoin plot trained --out loss.svg

# The last three steps, with proofs that show neither weights nor text.
gradientcoin train --private --model trained --corpus "$corpus" --held-out 0.05 --steps 3 --batch 1 --optimizer adamw --lr 0.0003 \
    --beta2 0.99 --weight-decay 0.1 --clip 1 --prove --out proven
gradientcoin verify proven/public --steps 3

# Later, if its owner chooses: the last model, and one of the sequences.
gradientcoin reveal proven --out revealed
gradientcoin verify proven/public --revealed revealed
gradientcoin reveal proven --leaf 0 --out sequence
gradientcoin verify proven/public --includes sequence

gradientcoin export revealed --out hub
gradientcoin import hub --strict --out loaded
gradientcoin eval --model loaded --corpus "$corpus" --held-out 0.05
gradientcoin generate --model loaded --prompt 'Once upon a time' --tokens 60 --temperature 0.7 --seed 1
