"""What the published chat templates of CodeLlama-Instruct and DeepSeek-Coder-instruct write, in Jinja.

The text is theirs, character by character; their checks of the roles are left out. Qwen2.5's is beside its
vocabulary (`tests.modelcore.data.conftest`).
"""

from __future__ import annotations

__all__ = ["CODELLAMA", "DEEPSEEK"]

CODELLAMA = """
{%- set system = messages[0].content if messages[0].role == 'system' else none %}
{%- set turns = messages if system is none else messages[1:] %}
{%- for message in turns %}
    {%- if message.role == 'user' %}
        {%- set opens = loop.first and system is not none %}
        {%- set content = ('<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' if opens else '') + message.content %}
        {{- bos_token + '[INST] ' + content | trim + ' [/INST]' }}
    {%- else %}
        {{- ' ' + message.content | trim + ' ' + eos_token }}
    {%- endif %}
{%- endfor %}
"""

DEEPSEEK = """
{{- bos_token }}
{%- if messages[0].role != 'system' %}
    {{- 'You are an AI programming assistant, utilizing the Deepseek Coder model, developed by Deepseek' }}
    {{- ' Company, and you only answer questions related to computer science. For politically sensitive' }}
    {{- ' questions, security and privacy issues, and other non-computer science questions, you will' }}
    {{- ' refuse to answer\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'system' %}
        {{- message.content }}
    {%- elif message.role == 'user' %}
        {{- '### Instruction:\\n' + message.content + '\\n' }}
    {%- else %}
        {{- '### Response:\\n' + message.content + '\\n<|EOT|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '### Response:\\n' }}
{%- endif %}
"""
