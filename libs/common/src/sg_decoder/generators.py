"""Names of AI generators, and how people say that a file is from one."""

from __future__ import annotations

import re

NAMES = (
    "adobe firefly|ai song maker|aiva|animatediff|comfyui|d-id|deepfacelab|deepfacelive|descript overdub|dreamina|"
    "elevenlabs|facefusion|fish audio|hailuo|heygen|hunyuanvideo|invideo ai|jimeng|kling(?: ?ai)?|liveportrait|"
    "luma dream machine|lyria|murf ai|openai|pika labs|play\\.?ht|resemble ai|roop|runway(?:ml)?|"
    "sadtalker|seedance|sora|stability ai|stable (?:audio|diffusion|video diffusion)|suno(?: ai)?|synthesia|udio|"
    "veo(?: [0-9.]+)?|vidu|wan ?2\\.[0-9]|wav2lip"
)
NAMED = re.compile(rf"(?<![\w-])(?:{NAMES})(?![\w-])", re.IGNORECASE)
SAID = re.compile(
    r"(?:this (?:video|audio|clip|content|file|song|voice|recording) (?:was|is) )?"
    r"(?:ai|artificial intelligence)[ -](?:generated|made|created)\b"
    r"|(?:this (?:video|audio|clip|content|file|song|voice|recording) (?:was|is) )?"
    r"(?:made|created|generated|produced|rendered|synthesi[sz]ed) (?:with|by|using|in) "
    rf"(?:(?:google |generative )?(?:ai|artificial intelligence)\b|(?:{NAMES})(?![\w-]))"
    r"|(?:本)?(?:视频|音频|内容|作品)?由?(?:ai|人工智能)(?:技术)?生成|(?:ai|인공지능)(?:로|가|이|으로)? ?생성",
    re.IGNORECASE,
)
