from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse
import json


def init():
    print("This is init()")


@rawhttp
def run(request):
    print("This is run()")
    print("Request: [{0}]".format(request))
    if request.method == 'GET':
        # For this example, just return the URL for GETs.
        respBody = str.encode(request.full_path)
        return AMLResponse(respBody, 200)
    elif request.method == 'OPTIONS':
        resp = AMLResponse('', 200)
        resp.headers["Allow"] = "OPTIONS, GET, POST"
        resp.headers["Access-Control-Allow-Origin"] = "http://www.example.com"
        resp.headers["Access-Control-Allow-Headers"] = "*"
        return resp
    elif request.method == 'POST':
        file_bytes = request.files["image"]
        size = len(file_bytes.read())
        resp = AMLResponse(json.dumps({"bytes": size, "name": file_bytes.filename}), 200)
        resp.headers['Access-Control-Allow-Origin'] = "http://www.example.com"
        resp.mimetype = "application/json"
        return resp
    else:
        return AMLResponse("bad request", 500)
