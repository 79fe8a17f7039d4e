"""Options with which each type of peft that merges has a place in a tiny Qwen2 (32 wide, 48 inside, biases)."""

OPTIONS = {
    "BEFT": {"modules": ["v_proj"]},
    "BOFT": {"options": {"boft_block_size": 8}},
    "C3A": {"options": {"block_size": 16}},
    "FOURIERFT": {"options": {"n_frequency": 50}},
    "MISS": {"options": {"r": 4}},
    "PSOFT": {"options": {"r": 4}},
    "ROAD": {"options": {"group_size": 16}},
    "SHIRA": {"options": {"r": 2}},
    "TRAINABLE_TOKENS": {"options": {"token_indices": list(range(256, 300))}},
    "VBLORA": {"options": {"vector_length": 16, "num_vectors": 32, "topk": 2}},
    "WAVEFT": {"options": {"n_frequency": 50}},
}
