"""The operator's face: does anything need a person?"""
