"""Images from text: the tool ``text_to_image``, and the services that draw.

An OpenAI-compatible endpoint needs the extra ``[openai]``, DashScope's own the extra
``[dashscope]``. :class:`ScriptedImages` needs nothing, and draws for tests and demos.
"""

from eventstore.engine.tools.images.drawing import ImageFailed, ImageModel
from eventstore.engine.tools.images.scripted import ScriptedImages
from eventstore.engine.tools.images.tool import TextToImage

__all__ = ["ImageFailed", "ImageModel", "ScriptedImages", "TextToImage"]
