"""Models that were won: looked at, fetched, checked, loaded, and asked for predictions."""

import shutil
from pathlib import Path

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from lc_jupyter.arguments import at_most, get_job_and_last, parse_line, validate_name
from lc_jupyter.commands.family import JOB, Family, in_one_line
from lc_jupyter.display import paragraph, stack
from lc_jupyter.errors import UserError
from lc_jupyter.jobs import Job
from lc_jupyter.live import tell
from lc_jupyter.models import describe_loading
from lc_jupyter.units import short_job, show_bytes
from lc_node.api.paths import expand


@magics_class
class ModelMagics(Family):
    """The winners' models."""

    @magic_arguments()
    @JOB
    @line_magic
    @in_one_line
    def lc_models(self, line: str) -> None:
        """List a job's models, and what the winner's file says of itself; nothing is loaded."""
        tell(self._job(parse_line(self.lc_models, line).job).models)

    @magic_arguments()
    @argument(
        "words",
        nargs="*",
        metavar="[job] name",
        help="the variable that the model is put into; before it the job's id, if it is not the "
        "last one posted here",
    )
    @argument("--to", default=None, help="save the model's file here instead of loading it")
    @argument(
        "--trust",
        action="store_true",
        help="load a pickle: it runs whatever its author put into it",
    )
    @line_magic
    @in_one_line
    def lc_pull(self, line: str) -> None:
        """Fetch the winner's model of a job, check its digest, and load it into a variable."""
        options = parse_line(self.lc_pull, line)
        if options.to is not None:
            [prefix] = at_most(options.words, 1, "%lc_pull [job] --to model.bin")
            path = expand(options.to)
            _validate_target(path)
            tell(paragraph(_saved(self._job(prefix), path), "good"))
            return
        prefix, name = get_job_and_last(options.words, "%lc_pull model")
        validate_name(name)
        job = self._job(prefix)
        model = self._names[name] = job.result(trust=options.trust, timeout_seconds=0)
        text = f"{name} is the model that won job {short_job(job.id)}: a {type(model).__name__}."
        model_format = job.story().request.model_format
        how = describe_loading(model_format, own_load=job.own_load)
        tell(stack(paragraph(text, "good"), paragraph(how, "dim")))

    @magic_arguments()
    @argument(
        "words",
        nargs="*",
        metavar="[job] data",
        help="a variable with the data, or an expression without spaces such as X[:5]",
    )
    @argument("--into", default=None, help="the variable that the predictions are put into")
    @line_magic
    @in_one_line
    def lc_predict(self, line: str) -> object:
        """Let the winner's model of a job predict in the node's sandbox; nothing of it is loaded here."""
        options = parse_line(self.lc_predict, line)
        prefix, text = get_job_and_last(options.words, "%lc_predict X_new")
        if options.into is not None:
            validate_name(options.into, "%lc_predict X_new --into guesses")
        data = self._evaluated(text)
        job = self._job(prefix)
        predicted = job.predict(data)
        if options.into is None:
            return predicted
        self._names[options.into] = predicted
        text = f"{options.into} is what the model of job {short_job(job.id)} predicts: a {type(predicted).__name__}."
        tell(paragraph(text, "good"))
        return None

    def _evaluated(self, text: str) -> object:
        try:
            return self._shell.ev(text)
        except Exception as error:
            message = f"{text} cannot be evaluated ({type(error).__name__}: {error}); name a variable with the data."
            raise UserError(message) from error


def _validate_target(path: Path) -> None:
    """Check where a model is to go before it is fetched.

    Raises:
        UserError: its folder is not there, or it is a folder itself.
    """
    if not path.parent.is_dir():
        message = f"--to {path}: there is no folder {path.parent}; make it first, or name another."
        raise UserError(message)
    if path.is_dir():
        message = f"--to {path} is a folder; name a file in it, such as --to {path / 'model.bin'}"
        raise UserError(message)


def _saved(job: Job, path: Path) -> str:
    fetched = job.fetch()
    try:
        shutil.copyfile(fetched.path, path)
    except OSError as error:
        message = (
            f"--to {path} cannot be written: {error.strerror}; name a file in a folder of yours."
        )
        raise UserError(message) from error
    return f"Saved {show_bytes(fetched.size)} ({fetched.model_format.value}) to {path}."
