"""Write a tuned model as a plain model folder, which transformers loads without this project.

By hand: python scripts/export_model.py results/nursery/best/.../model FOLDER

A model of a kind with a small state (such as LoRA) is saved as that state next to its checkpoint. Here the state is
merged into the weights of the checkpoint. A state that does not become weights (such as a prefix) cannot be written so.
Any other model folder is written as it is loaded, in single precision; a projector of pictures lies next to it.
"""

from ripeness.models.label_map import map_of
from ripeness.models.load import load_model
from ripeness.models.pictures import take_projector
from ripeness.models.reward import has_reward
from ripeness.models.tuned_state import stays_attached
from ripeness.models.tuned_weights import save_model
from ripeness.runtime.command_line import argument_parser, existing, output_folder, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.made_here import check_no_overlap


def main(argv: list[str] | None = None) -> None:
    """Write the folder, whole or not at all."""
    parser = argument_parser(__doc__)
    parser.add_argument("model", type=existing, help="folder of the tuned model")
    parser.add_argument("output", type=output_folder, help="folder to write")
    options = parser.parse_args(argv)
    check_no_overlap(options.output, options.model)
    if stays_attached(options.model):
        raise UserError(
            f"what was learned in {options.model} is stored next to the weights of its checkpoint and cannot be "
            "merged into them\n"
            "hint: this project loads the folder as it is; other tools need a kind that merges, such as lora"
        )
    if has_reward(options.model):
        raise UserError(
            f"{options.model} is a reward model, and a plain model folder has no place for its reward\n"
            "hint: reward.safetensors in it has the reward as a weight, on the model's last hidden state"
        )
    model = load_model(options.model)
    if map_of(model) is not None:
        raise UserError(
            f"{options.model} has a map to labels, for which a plain model folder has no place\n"
            "hint: tuned.safetensors in it has the map as weight and bias, on the model's last hidden state"
        )
    projector = take_projector(model)  # which a plain model folder has next to its weights
    save_model(model, options.model, options.output, projector=projector)


if __name__ == "__main__":
    run(main)
