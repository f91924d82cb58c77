"""The one process that speaks with payment providers: it carries exchanges and writes down what it hears."""
